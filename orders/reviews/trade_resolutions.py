"""The resolutions of a trade at an outside venue (DESIGN.md section 6): *trade proven*, *trade absent*.

A sell that was executed when its reservation had ended and its position was spent has one more: *trade given up*. The order
fails with nothing of it booked, and what its venue did is a late effect (`orders.operations.hear_contradiction`).
"""

from datetime import datetime

from ledger.controls.moves import Why
from ledger.drafts import Draft
from orders import trade_holds, transitions
from orders.models import Order
from orders.reviews.evidence import Facts
from orders.reviews.resolutions import Resolution, Rule
from orders.sagas import releasing
from orders.sagas.wallet_legs import credit_leg, reverse_leg
from wallets import remote_operations

_State = Order.State
_NOT_SHOWN = "No lookup shows the trade. Look it up first."


def _other_stage(facts: Facts) -> str:
    if facts.reverse is not None or facts.credit is not None or not facts.trade_open:
        return f"The trade is {facts.trade.state}: it is not what is under review."
    if facts.execute is None or not facts.execute.was_asked:
        return "The trade's venue was not asked to execute it."
    return ""


def _not_proven(facts: Facts) -> str:
    if stage := _other_stage(facts):
        return stage
    if not facts.executed:
        return _NOT_SHOWN
    lack = trade_holds.lack(facts.trade)
    return f"The position lacks {lack}. It was spent when its reservation had ended." if lack else ""


def _not_given_up(facts: Facts) -> str:
    if stage := _other_stage(facts):
        return stage
    if not facts.executed:
        return _NOT_SHOWN
    return "" if trade_holds.lack(facts.trade) else "The position is there: the trade can be booked."


def _not_absent(facts: Facts) -> str:
    if stage := _other_stage(facts):
        return stage
    if facts.surely_not_executed:
        return ""
    if facts.executed:
        return "The trade is executed."
    return "A lookup must find nothing after the not-found horizon, or find the trade refused."


def _settlement(facts: Facts) -> list[Draft]:
    return list(trade_holds.settlements(facts.trade))


def _release(facts: Facts) -> list[Draft]:
    return trade_holds.releases(facts.trade)


def _complete(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.complete(facts.order, trade=facts.trade, drafts=drafts, why=why, now=now)


def _request_credit(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.request_credit(
        facts.order,
        trade=facts.trade,
        drafts=drafts,
        operation=remote_operations.birth(credit_leg(facts.order, version=1)),
        why=why,
        now=now,
    )


def _compensate(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.begin_compensation(
        facts.order,
        operation=remote_operations.birth(reverse_leg(facts.order, version=1)),
        trade=facts.trade,
        how="release",
        status_reason="trade_absent",
        drafts=drafts,
        why=why,
        now=now,
        also=releasing.given_up(facts.order, facts.trade, now=now),
    )


def _fail(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.fail(
        facts.order,
        trade=facts.trade,
        how="release",
        status_reason="trade_absent",
        drafts=drafts,
        why=why,
        now=now,
        also=releasing.given_up(facts.order, facts.trade, now=now),
    )


def _give_up(facts: Facts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.fail(
        facts.order,
        trade=facts.trade,
        how="release",
        status_reason=trade_holds.SPENT,
        drafts=drafts,
        why=why,
        now=now,
    )


def _one_person(facts: Facts) -> bool:
    return False


def _two_people(facts: Facts) -> bool:
    return True


_PROVEN, _ABSENT = "Trade proven", "Trade absent"

TRADE_RULES: dict[Resolution, Rule[Facts]] = {
    Resolution.TRADE_PROVEN: Rule(_PROVEN, _State.PROCESSED, _not_proven, _settlement, _one_person, _complete),
    Resolution.TRADE_ABSENT: Rule(
        _ABSENT, _State.COMPENSATION_PENDING, _not_absent, _release, _one_person, _compensate
    ),
}

TRADE_RULES_OF_PAYOUTS: dict[Resolution, Rule[Facts]] = {
    Resolution.TRADE_PROVEN: Rule(
        _PROVEN, _State.OPERATOR_CREDIT_PENDING, _not_proven, _settlement, _one_person, _request_credit
    ),
    Resolution.TRADE_ABSENT: Rule(_ABSENT, _State.FAILED, _not_absent, _release, _one_person, _fail),
    Resolution.TRADE_GIVEN_UP: Rule("Give the trade up", _State.FAILED, _not_given_up, _release, _two_people, _give_up),
}
