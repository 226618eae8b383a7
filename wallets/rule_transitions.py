"""Every move of fee and limit rules: the only caller of their FSM methods, through `moves.move`."""

from collections.abc import Sequence
from datetime import datetime

from ledger.controls.moves import Birth, Change, Why, move
from wallets.rule_models import Rule


def draft(rule: Rule, *, why: Why, now: datetime) -> None:
    move(Birth(rule), why=why, now=now)


def propose(rule: Rule, *, why: Why, now: datetime) -> None:
    move(Change(rule, "propose"), why=why, now=now)


def take_back(rule: Rule, *, why: Why, now: datetime) -> None:
    move(Change(rule, "take_back"), why=why, now=now)


def activate(rule: Rule, *, replaced: Sequence[Rule], why: Why, now: datetime) -> None:
    """Retire what stands and put this in its place, in one step: effective at once."""
    move(
        *(Change(one, "retire", {"retired_at": now}) for one in replaced),
        Change(rule, "activate", {"activated_by": why.actor, "activated_at": now}),
        why=why,
        now=now,
    )


def retire(rule: Rule, *, why: Why, now: datetime) -> None:
    """Take a rule away: nothing comes in its place."""
    move(Change(rule, "retire", {"retired_at": now}), why=why, now=now)
