"""The resolutions of a review (DESIGN.md section 6): when each is allowed, what it posts and asks, where it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from ledger.controls.moves import Why
from ledger.drafts import Draft
from orders import trade_terms, transitions
from orders.models import Order
from orders.reviews.evidence import Facts
from orders.sagas.buy import debit_leg, reverse_leg
from wallets import remote_operations


class Resolution(StrEnum):
    DEBIT_PROVEN = "debit_proven"
    DEBIT_ABSENT = "debit_absent"
    COMPENSATE = "compensate"
    COMPENSATE_AGAIN = "compensate_again"
    COMPENSATION_PROVEN = "compensation_proven"
    ADJUST = "adjust"
    DISMISS = "dismiss"
    GIVE_BACK = "give_back"
    GIVE_BACK_AGAIN = "give_back_again"
    GIVEN_BACK_PROVEN = "given_back_proven"
    KEEP = "keep"


F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Rule(Generic[F]):
    """One row of the table, for facts of one kind. `why_not` returns "" when the stored evidence allows it."""

    title: str
    ends_in: str
    why_not: Callable[[F], str]
    drafts: Callable[[F], list[Draft]]
    remote: Callable[[F], str]
    two_people: Callable[[F], bool]
    apply: Callable[[F, list[Draft], Why, datetime], None]


def _debit_stage(facts: Facts) -> str:
    if facts.reverse is not None:
        return "This order is past its debit: its compensation is under review."
    return ""


def _not_proven(facts: Facts) -> str:
    if stage := _debit_stage(facts):
        return stage
    return "" if facts.debit_proven else "No lookup shows the debit. Look it up first."


def _not_absent(facts: Facts) -> str:
    if stage := _debit_stage(facts):
        return stage
    if facts.debit_absent:
        return ""
    if facts.debit_proven:
        return "The debit is confirmed."
    return "A lookup must find nothing after the not-found horizon, or find the debit rejected."


def _not_compensable(facts: Facts) -> str:
    if stage := _not_proven(facts):
        return stage
    return "The trade is settled." if facts.trade_settled else ""


def _not_again(facts: Facts) -> str:
    if facts.reverse is None:
        return "Nothing was given back yet: this order's compensation has not begun."
    if facts.reverse.state in ("absent", "rejected"):
        return ""
    return "The reverse must be proven absent or rejected. Look it up first."


def _not_given_back(facts: Facts) -> str:
    if facts.reverse is None:
        return "Nothing was given back yet: this order's compensation has not begun."
    return "" if facts.reverse.state == "confirmed" else "No lookup shows the reverse. Look it up first."


def _confirm_debit(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.confirm_debit(facts.order, draft=drafts[0], why=why, now=now)


def _fail(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    never_asked = remote_operations.withdrawal(debit_leg(facts.order), now=now)
    transitions.fail(
        facts.order,
        trade=facts.trade,
        how="release",
        status_reason="debit_absent",
        release=drafts[0],
        why=why,
        now=now,
        also=[never_asked] if never_asked else [],
    )


def _compensate(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.begin_compensation(
        facts.order,
        operation=remote_operations.birth(reverse_leg(facts.order, version=1)),
        trade=facts.trade if facts.trade_open else None,
        how="release",
        status_reason="compensated_by_review",
        drafts=drafts,
        why=why,
        now=now,
    )


def _compensate_again(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    assert facts.reverse is not None
    operation = None
    if facts.reverse.state == "rejected":
        operation = remote_operations.birth(reverse_leg(facts.order, version=facts.reverse.version + 1))
    else:
        remote_operations.grant_ask_again(key=facts.reverse.key, actor=why.actor)
    transitions.begin_compensation(
        facts.order,
        operation=operation,
        trade=None,
        how="",
        status_reason="compensated_by_review",
        drafts=drafts,
        why=why,
        now=now,
    )


def _compensated(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.compensate(facts.order, draft=drafts[0], why=why, now=now)


def _debited(facts: Facts) -> Draft:
    return trade_terms.debit_confirmed(facts.order, facts.trade)


def _compensation_drafts(facts: Facts) -> list[Draft]:
    return [_debited(facts), *([trade_terms.release(facts.trade)] if facts.trade_open else [])]


def _nothing(facts: Facts) -> str:
    return "none"


def _reverse_again(facts: Facts) -> str:
    if facts.reverse is None:
        return "none"
    version = facts.reverse.version + (1 if facts.reverse.state == "rejected" else 0)
    return f"reverse, key {facts.order.reference}:reverse:v{version}"


def _next_version(facts: Facts) -> bool:
    return facts.reverse is not None and facts.reverse.state == "rejected"


def _one_person(facts: Facts) -> bool:
    return False


_State = Order.State

RULES: dict[Resolution, Rule[Facts]] = {
    Resolution.DEBIT_PROVEN: Rule(
        "Debit proven",
        _State.OPERATOR_DEBITED,
        _not_proven,
        lambda f: [_debited(f)],
        _nothing,
        _one_person,
        _confirm_debit,
    ),
    Resolution.DEBIT_ABSENT: Rule(
        "Debit absent",
        _State.FAILED,
        _not_absent,
        lambda f: [trade_terms.release(f.trade)],
        _nothing,
        _one_person,
        _fail,
    ),
    Resolution.COMPENSATE: Rule(
        "Compensate",
        _State.COMPENSATION_PENDING,
        _not_compensable,
        _compensation_drafts,
        lambda f: f"reverse, key {f.order.reference}:reverse:v1",
        _one_person,
        _compensate,
    ),
    Resolution.COMPENSATE_AGAIN: Rule(
        "Compensate again",
        _State.COMPENSATION_PENDING,
        _not_again,
        lambda f: [],
        _reverse_again,
        _next_version,
        _compensate_again,
    ),
    Resolution.COMPENSATION_PROVEN: Rule(
        "Compensation proven",
        _State.COMPENSATED,
        _not_given_back,
        lambda f: [trade_terms.compensation(f.order, f.trade)],
        _nothing,
        _one_person,
        _compensated,
    ),
}
