"""Writes instant transfers: each created, validated, authorized and settled, with every move's audit row and event.

All steps of all intents are three statements, however many there are. It is the set-based sister of
`orders.intent_moves`: the edges are checked against the machine here and by the table's trigger, step by step.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

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
_WALK: Final = "SELECT orders_walk_intents(%s, %s::jsonb, %s::jsonb, %s, %s, %s)"


def write_settled(intents: Sequence[Intent], *, actor: str, now: datetime) -> None:
    """Store intents of one environment that are as they are at their end. Raises PeriodLocked."""
    rows = json.dumps([_row(intent) for intent in intents], default=_plain)
    walked = [
        {
            "reference": intent.reference,
            "operator_id": intent.operator_id,
            "payload": _payload(intent),
            "events": [references.new(references.Prefix.EVENT) for _ in _STEPS],
        }
        for intent in intents
    ]
    arguments = [intents[0].environment, json.dumps(walked), _steps(), actor, request_context.request_id(), now]
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(_insert(), [rows], prepare=True)
        assert cursor.rowcount == len(intents)
        cursor.execute(_WALK, arguments, prepare=True)
        written = cursor.fetchone()
    if written is None or written[0] is not True:
        raise PeriodLocked
    bell.ring_after_commit("relay")


def _row(intent: Intent) -> dict[str, Any]:
    row = {name: getattr(intent, name) for name in _columns()}
    return {**row, "state": Intent.State.CREATED.value, "version": 1}


def _payload(intent: Intent) -> dict[str, object]:
    announcement = intent.announcement()
    assert announcement is not None
    return dict(announcement.payload)


@cache
def _columns() -> tuple[str, ...]:
    return tuple(field.attname for field in Intent._meta.concrete_fields if not field.primary_key)


@cache
def _insert() -> sql.Composed:
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in _columns())
    statement = (
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)"
    )
    return sql.SQL(statement).format(table=sql.Identifier(Intent._meta.db_table), columns=columns)


@cache
def _steps() -> str:
    """Return the steps as the function takes them: what an event says that the last one does not."""
    legal = set(machines.named(Intent.MACHINE).edges())
    steps = []
    for before, after, cause in _STEPS:
        if (str(before), str(after)) not in legal:
            raise IllegalMove(f"An intent does not go from {before or 'nothing'} to {after}.")
        said = Intent(state=after)
        step: dict[str, Any] = {"from": before, "to": after, "cause": cause, "topic": f"intent.{after.upper()}"}
        step["said"] = {
            "status": after.upper(),
            "terminal": said.terminal,
            "requiresMonitoring": said.requires_monitoring,
            **({} if said.terminal else {"reference_number": None}),
        }
        steps.append(step)
    return json.dumps(steps)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    assert isinstance(value, Decimal)
    return str(value)
