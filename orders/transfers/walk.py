"""Writes instant transfers: each created, validated, authorized and settled, with every move's audit row and event, and the
lines of their wallets' history.

All of it is one statement, however many there are. It is the set-based sister of `orders.intent_moves`: the edges are checked
against the machine here and by the table's trigger, step by step.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import Final

from ledger.controls import bell, machines, prepared, references
from ledger.controls.moves import IllegalMove, PeriodLocked
from orders import intent_history
from orders.intent_history import Entry
from orders.models import Intent

_STEPS: Final = (
    ("", Intent.State.CREATED, "transfer requested"),
    (Intent.State.CREATED, Intent.State.VALIDATED, "fees calculated, limits checked"),
    (Intent.State.VALIDATED, Intent.State.AUTHORIZED, "funds held"),
    (Intent.State.AUTHORIZED, Intent.State.SETTLED, "funds posted"),
)
LAST_VERSION: Final = len(_STEPS)
_VARIES: Final = (
    *("reference", "reference_number", "partner_reference", "note", "payer", "payee", "terms", "asset"),
    *("amount_minor", "debit_minor", "credit_minor", "fee_minor", "vat_minor", "fee_items", "usages"),
)
"""The columns in which the transfers of one call differ; in all others they are as the first is."""
_varying = itemgetter(*_VARIES)

_WRITE: Final = "SELECT orders_write_settled(%s::jsonb, %s::jsonb, %s::jsonb, %s::jsonb, %s, %s)"


def write_settled(intents: Sequence[Intent], *, lines: Sequence[Entry], actor: str, now: datetime) -> None:
    """Store intents of one operator and environment that are as they are at their end. Raises PeriodLocked."""
    shared = {name: intents[0].__dict__[name] for name in _alike()}
    shared |= {"state": Intent.State.CREATED.value, "version": 1}
    events = references.several(references.Prefix.EVENT, len(_STEPS) * len(intents))
    rows = [
        {
            **dict(zip(_VARIES, _varying(intent.__dict__), strict=True)),
            "payload": _payload(intent),
            "events": events[at : at + len(_STEPS)],
        }
        for at, intent in zip(range(0, len(events), len(_STEPS)), intents, strict=True)
    ]
    given = [_json(shared), _json(rows), _steps(), intent_history.written(lines), actor, now]
    if prepared.rows(_WRITE, given) != [(True,)]:
        raise PeriodLocked
    bell.ring_after_commit("relay")


def _payload(intent: Intent) -> dict[str, object]:
    announcement = intent.announcement()
    assert announcement is not None
    return dict(announcement.payload)


@cache
def _alike() -> tuple[str, ...]:
    names = (field.attname for field in Intent._meta.concrete_fields if not field.primary_key and not field.generated)
    return tuple(name for name in names if name not in _VARIES)


@cache
def _steps() -> str:
    """Return the steps as the function takes them: each with what its event says that the last one does not."""
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
        steps.append({"from": before, "to": after, "cause": cause, "topic": f"intent.{after.upper()}", "said": said})
    return json.dumps(steps)


def _json(value: object) -> str:
    return json.dumps(value, default=_plain)


def _plain(value: object) -> str | int:
    if isinstance(value, datetime):
        return value.isoformat()
    assert isinstance(value, Decimal)
    return int(value)
