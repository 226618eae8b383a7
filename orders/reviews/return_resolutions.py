"""The resolutions of a return (DESIGN.md section 6): is it so, and what becomes of the money."""

from datetime import datetime

from ledger.controls.moves import Why
from ledger.drafts import Draft
from orders import payout_moves, payout_terms, return_terms, transitions
from orders.models import Return, Trade
from orders.reviews.evidence import ReturnFacts
from orders.reviews.resolutions import Resolution, Rule
from orders.sagas.give_back import give_back_leg
from wallets import remote_operations

_State = Return.State
_OVER = ("rejected", "absent")


def _giving_back(facts: ReturnFacts) -> list[Draft]:
    return [] if facts.found.leg == Return.EXECUTE else [return_terms.given_back(facts.found)]


def _not_adjustable(facts: ReturnFacts) -> str:
    if facts.trade is not None and facts.trade.state != Trade.State.SETTLED:
        return f"The trade is {facts.trade.state}."
    return _not_open(facts)


def _not_open(facts: ReturnFacts) -> str:
    return "" if facts.found.state == _State.OPEN else f"The return is {facts.found.state} already."


def _not_adjusted(facts: ReturnFacts) -> str:
    if facts.found.state == _State.OPEN:
        return "Say first whether it is so: adjust or dismiss."
    return "" if facts.found.state == _State.ADJUSTED else f"The return is {facts.found.state}."


def _not_to_be_asked(facts: ReturnFacts) -> str:
    if facts.found.leg == Return.EXECUTE:
        return "Nothing of the operator's moved: keep it for the net settlement with the venue."
    if why := _not_adjusted(facts):
        return why
    return "" if facts.movement is None else "The operator was asked already; see what became of it."


def _not_again(facts: ReturnFacts) -> str:
    if why := _not_adjusted(facts):
        return why
    if facts.movement is None:
        return "Nothing was asked yet."
    return "" if facts.movement.state in _OVER else "It must be proven absent or rejected. Look it up first."


def _not_proven(facts: ReturnFacts) -> str:
    if why := _not_adjusted(facts):
        return why
    if facts.movement is None:
        return "Nothing was asked yet."
    return "" if facts.movement.state == "confirmed" else "No lookup shows the movement. Look it up first."


def _not_to_be_kept(facts: ReturnFacts) -> str:
    if why := _not_adjusted(facts):
        return why
    if facts.movement is not None and facts.movement.state != "rejected":
        return "The operator was asked to give it back, and did not reject it for sure."
    return ""


def _adjust(facts: ReturnFacts, drafts: list[Draft], why: Why, now: datetime) -> None:
    if facts.found.intent_reference:
        payout_moves.adjust_return(facts.found, draft=drafts[0], why=why, now=now)
        return
    transitions.adjust_return(
        facts.found,
        trade=facts.trade,
        draft=drafts[0],
        next_action="Give it back at the operator, or keep it.",
        why=why,
        now=now,
    )


def _adjustment(facts: ReturnFacts) -> list[Draft]:
    if facts.found.intent_reference:
        return [payout_terms.adjustment(facts.found)]
    return [return_terms.adjustment(facts.found, facts.trade)]


def _dismiss(facts: ReturnFacts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.dismiss_return(facts.found, why=why, now=now)


def _give_back(facts: ReturnFacts, drafts: list[Draft], why: Why, now: datetime) -> None:
    operation = remote_operations.birth(give_back_leg(facts.found, version=1))
    transitions.request_give_back(operation, why=why, now=now)


def _give_back_again(facts: ReturnFacts, drafts: list[Draft], why: Why, now: datetime) -> None:
    assert facts.movement is not None
    if facts.movement.state == "absent":
        remote_operations.grant_ask_again(key=facts.movement.key, actor=why.actor)
        return
    operation = remote_operations.birth(give_back_leg(facts.found, version=facts.movement.version + 1))
    transitions.request_give_back(operation, why=why, now=now)


def _given_back(facts: ReturnFacts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.give_back_return(facts.found, draft=drafts[0], why=why, now=now)


def _keep(facts: ReturnFacts, drafts: list[Draft], why: Why, now: datetime) -> None:
    transitions.keep_return(facts.found, draft=drafts[0], why=why, now=now)


def _one_person(facts: ReturnFacts) -> bool:
    return False


def _two_people(facts: ReturnFacts) -> bool:
    return True


RETURN_RULES: dict[Resolution, Rule[ReturnFacts]] = {
    Resolution.ADJUST: Rule(
        "It is so: adjust the books",
        _State.ADJUSTED,
        _not_adjustable,
        _adjustment,
        _one_person,
        _adjust,
    ),
    Resolution.DISMISS: Rule("A mistake: dismiss", _State.DISMISSED, _not_open, lambda f: [], _two_people, _dismiss),
    Resolution.GIVE_BACK: Rule(
        "Give it back", _State.ADJUSTED, _not_to_be_asked, lambda f: [], _two_people, _give_back
    ),
    Resolution.GIVE_BACK_AGAIN: Rule(
        "Give it back again", _State.ADJUSTED, _not_again, lambda f: [], _two_people, _give_back_again
    ),
    Resolution.GIVEN_BACK_PROVEN: Rule(
        "Giving back proven",
        _State.GIVEN_BACK,
        _not_proven,
        _giving_back,
        _two_people,
        _given_back,
    ),
    Resolution.KEEP: Rule(
        "Keep it for the net settlement",
        _State.KEPT,
        _not_to_be_kept,
        lambda f: [return_terms.kept(f.found)],
        _two_people,
        _keep,
    ),
}


PAYOUT_RETURN_RULES = {one: RETURN_RULES[one] for one in (Resolution.ADJUST, Resolution.DISMISS)}
"""A payout's return is booked against its wallet: adjusted is its end, and nothing is left to give back or to keep."""
