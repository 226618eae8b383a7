"""Many steps of one kind in one transaction: each as `moves.move` would make it, written a table at a time.

What holds of one step holds here of each: guarded by its FSM, written under its expected version, its audit row, event and
postings in the same transaction. One step that does not stand takes all with it: the caller rolls back and takes them singly.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models

from ledger import journal
from ledger.controls import bell
from ledger.controls.moves import Birth, Change, OutsideTransaction, PeriodLocked, StaleVersion, Why, guarded, recorded
from ledger.drafts import Draft


@dataclass(frozen=True, slots=True)
class Step:
    """One subject's step: what `move` takes, and the request that it belongs to."""

    changes: Sequence[Change | Birth]
    why: Why
    request_id: str
    drafts: Sequence[Draft] = ()


@dataclass(frozen=True, slots=True)
class _Written:
    """A row's change, decided and not yet in the database."""

    subject: Any
    version: int
    values: Mapping[str, Any]


def move_together(steps: Sequence[Step], *, now: datetime) -> None:
    """Make every step. The caller holds the rows locked. Raises what `move` raises; nothing of any step stands then."""
    if not connection.in_atomic_block:
        raise OutsideTransaction
    environment = steps[0].changes[0].subject.environment
    assert all(change.subject.environment == environment for step in steps for change in step.changes), "one book"
    records: list[dict[str, Any]] = []
    written: list[_Written] = []
    born: list[Any] = []
    for step in steps:
        for change in step.changes:
            subject, before = change.subject, ""
            if isinstance(change, Birth):
                subject.version, subject.created_at, subject.updated_at = 1, now, now
                born.append(subject)
            else:
                before = subject.state
                written.append(_decided(change, now=now))
            records.append(recorded(subject, before=before, why=step.why, request_id=step.request_id))
    for alike in _by_table_and_columns(written):
        _write(alike)
    for model in dict.fromkeys(type(subject) for subject in born):
        model._default_manager.bulk_create([subject for subject in born if type(subject) is model])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT record_moves(%s, %s::jsonb, %s)", [environment, json.dumps(records, cls=DjangoJSONEncoder), now]
        )
        if cursor.fetchone() != (True,):
            raise PeriodLocked
    drafts = [replace(draft, request_id=step.request_id) for step in steps for draft in step.drafts]
    journal.post_all(environment=environment, drafts=drafts, now=now)
    if any(record["event"] for record in records):
        bell.ring_after_commit("relay")


def _decided(change: Change, *, now: datetime) -> _Written:
    """Let the FSM decide, and give the subject its new values."""
    subject = change.subject
    expected = subject.version
    guarded(change)
    values = {**change.values, "updated_at": now, "version": expected + 1}
    for name, value in values.items():
        setattr(subject, name, value)
    return _Written(subject, expected, {"state": subject.state, **values})


def _by_table_and_columns(written: Iterable[_Written]) -> list[list[_Written]]:
    """Group what one statement can write, in the order of its first row: the house's lock order."""
    groups: dict[tuple[type[Any], tuple[str, ...]], list[_Written]] = {}
    for one in written:
        groups.setdefault((type(one.subject), tuple(one.values)), []).append(one)
    return list(groups.values())


def _write(alike: Sequence[_Written]) -> None:
    model: type[models.Model] = type(alike[0].subject)
    known = {field.name: field for field in model._meta.concrete_fields}
    fields = [known[name] for name in alike[0].values]
    table = connection.ops.quote_name(model._meta.db_table)
    columns = [connection.ops.quote_name(str(field.column)) for field in fields]
    lists = ", ".join(f"%s::{_bare_type(field)}[]" for field in fields)
    statement = (  # names from the models
        f"UPDATE {table} AS t SET {', '.join(f'{column} = v.{column}' for column in columns)}"  # noqa: S608
        f" FROM unnest(%s::bigint[], %s::integer[], {lists}) AS v (id, expected, {', '.join(columns)})"
        " WHERE t.id = v.id AND t.version = v.expected"
    )
    values = [
        [field.get_db_prep_save(one.values[name], connection) for one in alike]
        for name, field in zip(alike[0].values, fields, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, [[one.subject.pk for one in alike], [one.version for one in alike], *values])
        if cursor.rowcount != len(alike):
            raise StaleVersion(f"{len(alike) - cursor.rowcount} of {len(alike)} rows were changed meanwhile.")


def _bare_type(field: "models.Field[Any, Any]") -> str:
    """Return a column's type without its size: a cast to `varchar(8)` would cut what is too long, the column refuses it."""
    return str(field.db_type(connection)).partition("(")[0]
