"""Every single move of intents: the only caller of their FSM methods beside the walk of instant transfers.

One function per step. A payout's row moves with its intent; all postings of a step are one ledger call. Lock order:
intent, payout, case, wallets by reference, limit counters by id; decide after the locks.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ledger.controls.moves import Birth, Change, Why, move
from ledger.drafts import Draft
from ledger.journal import Result
from orders.models import Intent
from wallets import limits

_NUMBER_LENGTH: Final = 12


def birth_intent(intent: Intent, *, why: Why, now: datetime, also: Sequence[Birth] = ()) -> None:
    """Store the payment request, created: nothing is taken yet."""
    move(Birth(intent), *also, why=why, now=now)


def validate(intent: Intent, *, values: Mapping[str, Any], why: Why, now: datetime) -> None:
    """Fees calculated, limits checked: `values` are the amounts, the fee items and what else became known."""
    move(Change(intent, "validate", {**values, "validated_at": now}), why=why, now=now)


def authorize(
    intent: Intent,
    *,
    drafts: Sequence[Draft],
    why: Why,
    now: datetime,
    values: Mapping[str, Any] | None = None,
    payout: Birth | None = None,
) -> list[Result]:
    """Hold the funds: from validated, or from created through validated in one step. A payout is born with it."""
    steps = [Change(intent, "authorize", {"authorized_at": now})]
    if intent.state == Intent.State.CREATED:
        steps.insert(0, Change(intent, "validate", {**(values or {}), "validated_at": now}))
    elif values:
        steps = [Change(intent, "authorize", {**values, "authorized_at": now})]
    return move(*steps, *([payout] if payout else []), why=why, now=now, drafts=drafts)


def settle(
    intent: Intent,
    *,
    drafts: Sequence[Draft],
    why: Why,
    now: datetime,
    values: Mapping[str, Any] | None = None,
    also: Sequence[Change] = (),
) -> list[Result]:
    """The funds have moved. The last event carries the number that the user is shown."""
    ended = {"reference_number": reference_number(intent.reference), "status_reason": "", **(values or {})}
    return move(Change(intent, "settle", {**ended, "ended_at": now}), *also, why=why, now=now, drafts=drafts)


def fail(
    intent: Intent,
    *,
    status_reason: str,
    why: Why,
    now: datetime,
    drafts: Sequence[Draft] = (),
    also: Sequence[Change] = (),
) -> list[Result]:
    """It did not complete: `drafts` return what was held; the limits get back what it took, on the day it took it."""
    limits.give_back(intent.usages)  # before the ledger's locks, as it was taken
    values = {"status_reason": status_reason, "ended_at": now}
    return move(Change(intent, "fail", values), *also, why=why, now=now, drafts=drafts)


def cancel(
    intent: Intent, *, why: Why, now: datetime, status_reason: str = "", also: Sequence[Change] = ()
) -> list[Result]:
    """Cancelled before authorisation: the funds never left, and nothing was taken from limits yet."""
    return move(Change(intent, "cancel", {"status_reason": status_reason, "ended_at": now}), *also, why=why, now=now)


def stop_for_review(
    intent: Intent, *, status_reason: str, why: Why, now: datetime, also: Sequence[Change | Birth] = ()
) -> None:
    """The automatic path stopped: the payout's move and the case that people work belong to it."""
    move(Change(intent, "stop_for_review", {"status_reason": status_reason}), *also, why=why, now=now)


def reference_number(reference: str) -> str:
    """Return what the user is shown at the end: the last sixty bits of the intent's reference."""
    return reference[-_NUMBER_LENGTH:].upper()
