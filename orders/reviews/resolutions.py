"""The resolutions of a review (DESIGN.md section 6): when each is allowed, what it posts and asks, where it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from ledger import assets, balances
from ledger.controls.moves import Why
from ledger.drafts import Draft
from ledger.money import Money
from orders import trade_holds, trade_terms, transitions
from orders.models import Order, Pool, Quote, Trade
from orders.reviews.evidence import Facts
from orders.sagas import releasing
from orders.sagas.wallet_legs import credit_leg, debit_leg, reverse_leg
from wallets import remote_operations


class Resolution(StrEnum):
    DEBIT_PROVEN = "debit_proven"
    DEBIT_ABSENT = "debit_absent"
    COMPENSATE = "compensate"
    COMPENSATE_AGAIN = "compensate_again"
    COMPENSATION_PROVEN = "compensation_proven"
    TRADE_PROVEN = "trade_proven"
    TRADE_ABSENT = "trade_absent"
    TRADE_GIVEN_UP = "trade_given_up"
    CREDIT_PROVEN = "credit_proven"
    CREDIT_AGAIN = "credit_again"
    SETTLED_OUTSIDE = "settled_outside"
    COMPENSATION_SETTLED_OUTSIDE = "compensation_settled_outside"
    UNWIND = "unwind"
    ADJUST = "adjust"
    DISMISS = "dismiss"
    GIVE_BACK = "give_back"
    GIVE_BACK_AGAIN = "give_back_again"
    GIVEN_BACK_PROVEN = "given_back_proven"
    KEEP = "keep"
    SETTLE_PAYOUT = "settle_payout"
    RELEASE_PAYOUT = "release_payout"


F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Rule(Generic[F]):
    """One row of the table, for facts of one kind. `why_not` returns "" when the stored evidence allows it.

    `by_agreement`: what was agreed with the operator is its evidence, and has to be told.
    """

    title: str
    ends_in: str
    why_not: Callable[[F], str]
    drafts: Callable[[F], list[Draft]]
    two_people: Callable[[F], bool]
    apply: Callable[[F, list[Draft], Why, datetime], None]
    by_agreement: bool = False


_NO_CREDIT = "No credit was written down."
_BY_REVIEW = "compensated_by_review"


def _debit_stage(facts: Facts) -> str:
    if facts.reverse is not None:
        return "This order is past its debit: its compensation is under review."
    if facts.execute is not None and facts.execute.was_asked:
        return "This order is past its debit: its trade is under review."
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


def _not_credited(facts: Facts) -> str:
    if facts.credit is None:
        return _NO_CREDIT
    return "" if facts.credit.state == "confirmed" else "No lookup shows the credit. Look it up first."


def _not_surely_unpaid(facts: Facts) -> str:
    if facts.credit is None:
        return _NO_CREDIT
    if facts.credit.state == "confirmed":
        return "The credit is confirmed."
    if facts.credit.state in ("absent", "rejected"):
        return ""
    return "The credit must be proven absent or rejected. Look it up first."


def _not_outside(facts: Facts) -> str:
    if facts.credit is None:
        return _NO_CREDIT
    return "" if facts.credit.state == "rejected" else "The credit must be rejected for sure."


def _compensation_not_outside(facts: Facts) -> str:
    if facts.reverse is None:
        return "Nothing was given back yet: this order's compensation has not begun."
    return "" if facts.reverse.state == "rejected" else "The reverse must be rejected for sure."


def _not_unwindable(facts: Facts) -> str:
    if refusal := _not_surely_unpaid(facts):
        return refusal
    if facts.trade.state != Trade.State.SETTLED:
        return f"The trade is {facts.trade.state}."
    if Pool.objects.filter(pk=facts.trade.pool_id, kind=Pool.Kind.OUTCOME).exists():
        return "An outcome market's shares cannot be unwound: what they are worth has moved. Settle it outside."
    if facts.executed:
        return "Its venue has executed the trade and keeps it. Settle it outside."
    lack = _lack(facts)
    return f"The pool lacks {assets.text(lack.minor, lack.asset)} {lack.asset} to give it back." if lack else ""


def _lack(facts: Facts) -> Money | None:
    """Return what the pool lacks to give the position back: the ledger would refuse to overdraw it."""
    sold = facts.trade.terms["amounts"]["sold"]
    place = (facts.trade.terms["accounts"]["pool"], sold["asset"])
    available = balances.read(environment=facts.order.environment, accounts=[place])[place].available
    lack = int(sold["minor"]) - available
    return Money(lack, sold["asset"]) if lack > 0 else None


def _confirm_debit(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.confirm_debit(facts.order, draft=drafts[0], why=why, now=now)


def _fail(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    never_asked = remote_operations.withdrawal(debit_leg(facts.order), now=now)
    transitions.fail(
        facts.order,
        trade=facts.trade,
        how="release",
        status_reason="debit_absent",
        drafts=drafts,
        why=why,
        now=now,
        also=[*releasing.given_up(facts.order, facts.trade, now=now), *([never_asked] if never_asked else [])],
    )


def _compensate(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.begin_compensation(
        facts.order,
        operation=remote_operations.birth(reverse_leg(facts.order, version=1)),
        trade=facts.trade if facts.trade_open else None,
        how="release",
        status_reason=_BY_REVIEW,
        drafts=drafts,
        why=why,
        now=now,
        also=releasing.given_up(facts.order, facts.trade, now=now) if facts.trade_open else (),
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
        status_reason=_BY_REVIEW,
        drafts=drafts,
        why=why,
        now=now,
    )


def _compensated(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.compensate(facts.order, draft=drafts[0], why=why, now=now, status_reason=_BY_REVIEW)


def _credited(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.credited(facts.order, draft=drafts[0], why=why, now=now)


def _credited_outside(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.credited_outside(facts.order, draft=drafts[0], why=why, now=now)


def _compensated_outside(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.compensated_outside(facts.order, draft=drafts[0], why=why, now=now)


def _credit_again(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    assert facts.credit is not None
    operation = None
    if facts.credit.state == "rejected":
        operation = remote_operations.birth(credit_leg(facts.order, version=facts.credit.version + 1))
    else:
        remote_operations.grant_ask_again(key=facts.credit.key, actor=why.actor)
    transitions.credit_again(facts.order, operation=operation, why=why, now=now)


def _unwind(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.unwind(facts.order, trade=facts.trade, reversal=drafts[0], why=why, now=now)


def _debited(facts: Facts) -> Draft:
    return trade_terms.debit_confirmed(facts.order, facts.trade)


def _compensation_drafts(facts: Facts) -> list[Draft]:
    return [_debited(facts), *(trade_holds.releases(facts.trade) if facts.trade_open else [])]


def _next_credit_version(facts: Facts) -> bool:
    return facts.credit is not None and facts.credit.state == "rejected"


def _next_version(facts: Facts) -> bool:
    return facts.reverse is not None and facts.reverse.state == "rejected"


def _one_person(facts: Facts) -> bool:
    return False


def _two_people(facts: Facts) -> bool:
    return True


_State = Order.State

RULES: dict[Resolution, Rule[Facts]] = {
    Resolution.DEBIT_PROVEN: Rule(
        "Debit proven",
        _State.OPERATOR_DEBITED,
        _not_proven,
        lambda f: [_debited(f)],
        _one_person,
        _confirm_debit,
    ),
    Resolution.DEBIT_ABSENT: Rule(
        "Debit absent",
        _State.FAILED,
        _not_absent,
        lambda f: trade_holds.releases(f.trade),
        _one_person,
        _fail,
    ),
    Resolution.COMPENSATE: Rule(
        "Compensate",
        _State.COMPENSATION_PENDING,
        _not_compensable,
        _compensation_drafts,
        _one_person,
        _compensate,
    ),
    Resolution.COMPENSATE_AGAIN: Rule(
        "Compensate again",
        _State.COMPENSATION_PENDING,
        _not_again,
        lambda f: [],
        _next_version,
        _compensate_again,
    ),
    Resolution.COMPENSATION_PROVEN: Rule(
        "Compensation proven",
        _State.COMPENSATED,
        _not_given_back,
        lambda f: [trade_terms.compensation(f.order, f.trade)],
        _one_person,
        _compensated,
    ),
    Resolution.CREDIT_PROVEN: Rule(
        "Credit proven",
        _State.PROCESSED,
        _not_credited,
        lambda f: [trade_terms.credit_confirmed(f.order, f.trade)],
        _one_person,
        _credited,
    ),
    Resolution.CREDIT_AGAIN: Rule(
        "Credit again",
        _State.OPERATOR_CREDIT_PENDING,
        _not_surely_unpaid,
        lambda f: [],
        _next_credit_version,
        _credit_again,
    ),
    Resolution.SETTLED_OUTSIDE: Rule(
        "Credit settled outside",
        _State.PROCESSED,
        _not_outside,
        lambda f: [trade_terms.for_net_settlement(trade_terms.credit_confirmed(f.order, f.trade))],
        _two_people,
        _credited_outside,
        by_agreement=True,
    ),
    Resolution.COMPENSATION_SETTLED_OUTSIDE: Rule(
        "Compensation settled outside",
        _State.COMPENSATED,
        _compensation_not_outside,
        lambda f: [trade_terms.for_net_settlement(trade_terms.compensation(f.order, f.trade))],
        _two_people,
        _compensated_outside,
        by_agreement=True,
    ),
    Resolution.UNWIND: Rule(
        "Unwind the sell",
        _State.FAILED,
        _not_unwindable,
        lambda f: [trade_terms.reversal(f.order, f.trade)],
        _two_people,
        _unwind,
    ),
}

_OF_PAYOUTS = frozenset(
    {Resolution.CREDIT_PROVEN, Resolution.CREDIT_AGAIN, Resolution.SETTLED_OUTSIDE, Resolution.UNWIND}
)


def rules_of(order: Order) -> dict[Resolution, Rule[Facts]]:
    """Return the rows of the table that are about this order: what it takes, or what it pays out."""
    pays_out = order.side != Quote.Side.BUY
    return {name: rule for name, rule in RULES.items() if (name in _OF_PAYOUTS) == pays_out}
