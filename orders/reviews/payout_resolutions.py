"""The resolutions of a payout in manual review (DESIGN.md section 6): settle or release its hold, on stored evidence.

By two people always. There is no third: what the channel was asked is never submitted as a new payout (walletflow).
"""

from datetime import datetime

from ledger.controls.moves import Why
from ledger.drafts import Draft
from orders import payout_moves, payout_terms
from orders.models import Intent, Payout
from orders.reviews.evidence import PayoutFacts
from orders.reviews.resolutions import Resolution, Rule

_SURELY_NOT = ("rejected", "absent", "withdrawn")


def _not_paid(facts: PayoutFacts) -> str:
    if why := _not_in_review(facts):
        return why
    paid = facts.submission is not None and facts.submission.state == "confirmed"
    return "" if paid else "No lookup shows the payment. Look it up first."


def _not_surely_unpaid(facts: PayoutFacts) -> str:
    if why := _not_in_review(facts):
        return why
    if facts.submission is None or facts.submission.state in _SURELY_NOT:
        return ""
    if facts.submission.state == "confirmed":
        return "The payment is confirmed."
    return "A lookup must find nothing after the not-found horizon, or find the payment rejected."


def _not_in_review(facts: PayoutFacts) -> str:
    return "" if facts.payout.state == Payout.State.MANUAL_REVIEW else f"The payout is {facts.payout.state}."


def _settle(facts: PayoutFacts, drafts: list[Draft], why: Why, now: datetime) -> None:
    payout_moves.confirm(facts.payout, why=why, now=now)


def _release(facts: PayoutFacts, drafts: list[Draft], why: Why, now: datetime) -> None:
    payout_moves.reject(facts.payout, why=why, now=now)


def _two_people(facts: PayoutFacts) -> bool:
    return True


PAYOUT_RULES: dict[Resolution, Rule[PayoutFacts]] = {
    Resolution.SETTLE_PAYOUT: Rule(
        "It was paid: settle the hold",
        Intent.State.SETTLED,
        _not_paid,
        lambda f: [payout_terms.settle(f.intent, f.payout)],
        _two_people,
        _settle,
    ),
    Resolution.RELEASE_PAYOUT: Rule(
        "It surely was not paid: release the hold",
        Intent.State.FAILED,
        _not_surely_unpaid,
        lambda f: [payout_terms.release(f.intent, f.payout)],
        _two_people,
        _release,
    ),
}
