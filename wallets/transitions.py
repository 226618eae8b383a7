"""Every move of remote operations: the only caller of their FSM methods, through `moves.move`."""

from datetime import datetime
from typing import Any

from ledger.controls.moves import Birth, Change, Why, move
from ledger.controls.moves_together import Step
from wallets.models import RemoteOperation
from wallets.outcomes import Confirmed

DOOR = "remote door"
_CLAIMED = Why(DOOR, "claimed for asking")


def born(operation: RemoteOperation, *, now: datetime) -> None:
    move(Birth(operation), why=Why(DOOR, "written down"), now=now)


def ask(operation: RemoteOperation, *, values: dict[str, Any], now: datetime) -> None:
    move(Change(operation, "ask", values), why=_CLAIMED, now=now)


def asking(operation: RemoteOperation, *, values: dict[str, Any], request_id: str) -> Step:
    """Return the step of an ask that goes with others."""
    return Step([Change(operation, "ask", values)], _CLAIMED, request_id)


def withdrawal(operation: RemoteOperation, *, now: datetime) -> Change:
    """Return the change that gives up an operation that was never asked, for its owner's move."""
    return Change(operation, "withdraw", {"answered_at": now})


def answered(
    operation: RemoteOperation, transition: str, *, values: dict[str, Any], evidence: dict[str, Any], now: datetime
) -> None:
    """Move by an answer: confirm, reject, lose_sight or prove_absent."""
    move(Change(operation, transition, values), why=Why(DOOR, "answered", evidence=evidence), now=now)


def confirmed_values(outcome: Confirmed, *, late: bool, now: datetime) -> dict[str, Any]:
    """Return what a confirmation changes, beside its state and lease."""
    return {
        "remote_ref": outcome.remote_ref[:120],
        "settlement_date": outcome.settlement_date,
        "answered_at": now,
        "unknown_cause": "",
        "late": late,
    }


def confirmation(operation: RemoteOperation, outcome: Confirmed, *, request_id: str, now: datetime) -> Step:
    """Return the step of a first ask's confirmation that came within its lease, and goes with others."""
    values = {"lease_until": None, "lease_token": "", **confirmed_values(outcome, late=False, now=now)}
    why = Why(DOOR, "answered", evidence={"attempt": 1, "request_id": request_id})
    return Step([Change(operation, "confirm", values)], why, request_id)
