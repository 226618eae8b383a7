"""The moves of inbound events: the only caller of their FSM methods, through `moves.move`. Births are the inbox's insert."""

from datetime import datetime
from typing import Any, Final

from ledger.controls.moves import Change, Why, move
from webhooks.models import InboundEvent

WORKER: Final = "inbox worker"


def judged(event: InboundEvent, transition: str, *, reason: str, values: dict[str, Any], now: datetime) -> None:
    """Apply, ignore, park or give up an event, which the caller holds locked."""
    why = Why(WORKER, reason[:200], event=event.reference)
    move(Change(event, transition, {"reason": reason, **values}), why=why, now=now)


def replayed(event: InboundEvent, *, actor: str, now: datetime) -> None:
    """Send a dead event round again: a decision of a person."""
    values = {"available_at": now, "attempts": 0, "judged_at": None}
    move(Change(event, "replay", values), why=Why(actor, "replayed by hand", event=event.reference), now=now)
