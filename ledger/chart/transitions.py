"""Every move of chart, mapping and template versions: the only caller of their FSM methods, through `moves.move`."""

from collections.abc import Sequence
from datetime import datetime

from ledger.controls.moves import Birth, Change, Why, move
from ledger.models.chart import Version


def draft(rows: Sequence[Version], *, why: Why, now: datetime) -> None:
    move(*(Birth(row) for row in rows), why=why, now=now)


def propose(rows: Sequence[Version], *, why: Why, now: datetime) -> None:
    move(*(Change(row, "propose") for row in rows), why=why, now=now)


def take_back(rows: Sequence[Version], *, why: Why, now: datetime) -> None:
    move(*(Change(row, "take_back") for row in rows), why=why, now=now)


def activate(rows: Sequence[Version], *, replaced: Sequence[Version], why: Why, now: datetime) -> None:
    """Retire what stands and put these in its place, in one step."""
    move(
        *(Change(row, "retire", {"retired_at": now}) for row in replaced),
        *(Change(row, "activate", {"activated_by": why.actor, "activated_at": now}) for row in rows),
        why=why,
        now=now,
    )
