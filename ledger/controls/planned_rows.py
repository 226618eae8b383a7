"""Rows of models on the hot path, read and written by statements that the server plans once per connection.

The same values by the same fields as Django's own `get`, `save` and `update`, without building and planning each anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models
from django.db import transaction as db_transaction

from ledger.controls import prepared

Row = TypeVar("Row", bound=models.Model)


@dataclass(frozen=True, slots=True)
class _Table:
    """What statements on a model's table are made of. `converters` are by the place of their column."""

    name: str
    attributes: tuple[str, ...]
    columns: str
    converters: tuple[tuple[int, Callable[..., Any]], ...]
    fields: "Mapping[str, models.Field[Any, Any]]"


def lock(model: type[Row], **wanted: object) -> Row | None:
    """Return the one row with these values (of unique columns) and lock it; None where there is none."""
    return _found(model, wanted, " FOR UPDATE")


def find(model: type[Row], **wanted: object) -> Row | None:
    """Return the one row with these values (of unique columns); None where there is none."""
    return _found(model, wanted, "")


def insert(row: models.Model) -> None:
    """Insert a new row, which gets its id. Its id is the database's to give."""
    table = _table(type(row))
    new = [field for field in row._meta.concrete_fields if not field.primary_key and not field.generated]
    names = ", ".join(_quoted(str(field.column)) for field in new)
    statement = f"INSERT INTO {table.name} ({names}) VALUES ({', '.join(['%s'] * len(new))}) RETURNING id"  # noqa: S608  names from the model
    values = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in new]
    with db_transaction.mark_for_rollback_on_error(using=connection.alias):
        ((row.pk,),) = prepared.rows(statement, values)
    row._state.adding = False
    row._state.db = connection.alias


def update(model: type[models.Model], *, pk: int, version: int, values: Mapping[str, Any]) -> bool:
    """Write values where the row still has that version; tell whether it had."""
    fields = _table(model).fields
    names = ", ".join(f"{_quoted(str(fields[name].column))} = %s" for name in values)
    statement = f"UPDATE {_table(model).name} SET {names} WHERE id = %s AND version = %s RETURNING id"  # noqa: S608  names from the model
    written = [fields[name].get_db_prep_save(value, connection) for name, value in values.items()]
    with db_transaction.mark_for_rollback_on_error(using=connection.alias):
        return bool(prepared.rows(statement, [*written, pk, version]))


def _found(model: type[Row], wanted: Mapping[str, object], ending: str) -> Row | None:
    table = _table(model)
    names = " AND ".join(f"{_quoted(str(table.fields[name].column))} = %s" for name in wanted)
    statement = f"SELECT {table.columns} FROM {table.name} WHERE {names}{ending}"  # noqa: S608  names from the model
    values = [table.fields[name].get_db_prep_value(value, connection) for name, value in wanted.items()]
    found = prepared.rows(statement, values)
    if not found:
        return None
    (first,) = found
    row = list(first)
    for place, convert in table.converters:
        row[place] = convert(row[place], None, connection)
    return model.from_db(connection.alias, table.attributes, row)


@cache
def _table(model: type[models.Model]) -> _Table:
    fields = model._meta.concrete_fields
    assert model._meta.pk is not None
    assert model._meta.pk.column == "id", f"{model.__name__} is not numbered by the database"
    return _Table(
        name=_quoted(model._meta.db_table),
        attributes=tuple(field.attname for field in fields),
        columns=", ".join(_quoted(str(field.column)) for field in fields),
        converters=tuple(
            (place, convert) for place, field in enumerate(fields) for convert in field.get_db_converters(connection)
        ),
        fields={field.name: field for field in fields}
        | {field.attname: field for field in fields if field.is_relation},
    )


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
