"""Every move of remote operations: the only caller of their FSM methods, through `moves.move`."""

from datetime import datetime
from typing import Any

from ledger.controls.moves import Birth, Change, Why, move
from wallets.models import RemoteOperation

DOOR = "remote door"


def born(operation: RemoteOperation, *, now: datetime) -> None:
    move(Birth(operation), why=Why(DOOR, "written down"), now=now)


def ask(operation: RemoteOperation, *, values: dict[str, Any], now: datetime) -> None:
    move(Change(operation, "ask", values), why=Why(DOOR, "claimed for asking"), now=now)


def withdrawal(operation: RemoteOperation, *, now: datetime) -> Change:
    """Return the change that gives up an operation that was never asked, for its owner's move."""
    return Change(operation, "withdraw", {"answered_at": now})


def answered(
    operation: RemoteOperation, transition: str, *, values: dict[str, Any], evidence: dict[str, Any], now: datetime
) -> None:
    """Move by an answer: confirm, reject, lose_sight or prove_absent."""
    move(Change(operation, transition, values), why=Why(DOOR, "answered", evidence=evidence), now=now)
