"""The resolutions of a payout in manual review (DESIGN.md section 6): settle or release its hold, on stored evidence.

By two people always. There is no third: what the channel was asked is never submitted as a new payout (walletflow).
A hold that has ended before leaves one of the two; what contradicts it comes up as a return when the payout has ended.
"""

from datetime import datetime

from ledger.controls.moves import Why
from ledger.drafts import Draft
from orders import payout_moves, payout_terms
from orders.models import Intent, Payout
from orders.reviews.evidence import PayoutFacts
from orders.reviews.resolutions import Resolution, Rule
from orders.sagas import hold_ends

_SURELY_NOT = ("rejected", "absent", "withdrawn")


def _not_paid(facts: PayoutFacts) -> str:
    """Its hold is posted, or still may be; and the payment is proven, or proven not to be behind what was posted."""
    if why := _not_in_review(facts):
        return why
    if facts.hold in hold_ends.GIVEN_BACK:
        return f"Its hold was {facts.hold}: it can only be released. A payment that was made comes up as a return then."
    if facts.submission is not None and facts.submission.confirmed:
        return ""
    if facts.hold in hold_ends.POSTED and _surely_unpaid(facts):
        return ""
    return "No lookup shows the payment. Look it up first."


def _not_surely_unpaid(facts: PayoutFacts) -> str:
    """Its hold is voided, or still may be; and the payment is proven absent, or proven where the hold is gone already."""
    if why := _not_in_review(facts):
        return why
    if facts.hold in hold_ends.POSTED:
        return "Its hold was posted: it can only be settled. What was not paid comes up as a return then."
    if _surely_unpaid(facts):
        return ""
    if facts.submission is not None and facts.submission.confirmed:
        return "" if facts.hold in hold_ends.GIVEN_BACK else "The payment is confirmed."
    return "A lookup must find nothing after the not-found horizon, or find the payment rejected."


def _surely_unpaid(facts: PayoutFacts) -> bool:
    return facts.submission is None or facts.submission.state in _SURELY_NOT


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
        lambda f: [] if f.hold in hold_ends.POSTED else [payout_terms.settle(f.intent, f.payout)],
        _two_people,
        _settle,
    ),
    Resolution.RELEASE_PAYOUT: Rule(
        "It surely was not paid: release the hold",
        Intent.State.FAILED,
        _not_surely_unpaid,
        lambda f: [] if f.hold in hold_ends.GIVEN_BACK else [payout_terms.release(f.intent, f.payout)],
        _two_people,
        _release,
    ),
}
