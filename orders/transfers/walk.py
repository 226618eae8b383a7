"""Writes instant transfers: each created, validated, authorized and settled, with every move's audit row and event.

All steps of all intents are three statements, however many there are. It is the set-based sister of
`orders.intent_moves`: the edges are checked against the machine here and by the table's trigger, step by step.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Final

import psycopg
from django.db import connection
from psycopg import sql

from ledger.controls import bell, machines, references, request_context
from ledger.controls.moves import IllegalMove, PeriodLocked
from orders.models import Intent

_STEPS: Final = (
    ("", Intent.State.CREATED, "transfer requested"),
    (Intent.State.CREATED, Intent.State.VALIDATED, "fees calculated, limits checked"),
    (Intent.State.VALIDATED, Intent.State.AUTHORIZED, "funds held"),
    (Intent.State.AUTHORIZED, Intent.State.SETTLED, "funds posted"),
)
LAST_VERSION: Final = len(_STEPS)
_VARIES: Final = frozenset(
    {
        *("reference", "reference_number", "partner_reference", "note", "payer", "payee", "terms", "asset"),
        *("amount_minor", "debit_minor", "credit_minor", "fee_minor", "vat_minor", "fee_items", "usages"),
    }
)
"""The columns in which the transfers of one call differ; in all others they are as the first is."""

_WALK: Final = "SELECT orders_walk_intents(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


def write_settled(intents: Sequence[Intent], *, actor: str, now: datetime) -> None:
    """Store intents of one operator and environment that are as they are at their end. Raises PeriodLocked."""
    first = intents[0]
    shared = {name: getattr(first, name) for name in _columns() if name not in _VARIES}
    shared |= {"state": Intent.State.CREATED.value, "version": 1}
    rows = [{name: getattr(intent, name) for name in _VARIES} for intent in intents]
    walked = [
        first.environment,
        first.operator_id,
        [intent.reference for intent in intents],
        [json.dumps(_payload(intent)) for intent in intents],
        [",".join([references.new(references.Prefix.EVENT) for _ in _STEPS]) for _ in intents],
        *_steps(),
        actor,
        request_context.request_id(),
        now,
    ]
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(_insert(), [json.dumps(rows, default=_plain), json.dumps(shared, default=_plain)], prepare=True)
        assert cursor.rowcount == len(intents)
        cursor.execute(_WALK, walked, prepare=True)
        written = cursor.fetchone()
    if written is None or written[0] is not True:
        raise PeriodLocked
    bell.ring_after_commit("relay")


def _payload(intent: Intent) -> dict[str, object]:
    announcement = intent.announcement()
    assert announcement is not None
    return dict(announcement.payload)


@cache
def _columns() -> tuple[str, ...]:
    return tuple(field.attname for field in Intent._meta.concrete_fields if not field.primary_key)


@cache
def _insert() -> sql.Composed:
    columns = sql.SQL(", ").join(map(sql.Identifier, _columns()))
    values = sql.SQL(", ").join(sql.Identifier("v" if name in _VARIES else "s", name) for name in _columns())
    statement = (
        "INSERT INTO {table} ({columns}) SELECT {values} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb) AS v,"
        " jsonb_populate_record(NULL::{table}, %s::jsonb) AS s"
    )
    return sql.SQL(statement).format(table=sql.Identifier(Intent._meta.db_table), columns=columns, values=values)


@cache
def _steps() -> tuple[list[str], ...]:
    """Return the steps as the function takes them: from, to, cause, topic, and what an event says that the last does not."""
    legal = set(machines.named(Intent.MACHINE).edges())
    steps = []
    for before, after, cause in _STEPS:
        if (str(before), str(after)) not in legal:
            raise IllegalMove(f"An intent does not go from {before or 'nothing'} to {after}.")
        then = Intent(state=after)
        said = {
            "status": after.upper(),
            "terminal": then.terminal,
            "requiresMonitoring": then.requires_monitoring,
            **({} if then.terminal else {"reference_number": None}),
        }
        steps.append((str(before), str(after), cause, f"intent.{after.upper()}", json.dumps(said)))
    return tuple(list(column) for column in zip(*steps, strict=True))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    assert isinstance(value, Decimal)
    return str(value)
