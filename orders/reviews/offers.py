"""What may be done about a case now: every resolution, allowed or not and why, with what it would do."""

from dataclasses import dataclass
from datetime import datetime

from ledger import journal
from ledger.drafts import Posting
from orders.models import ApprovalThreshold, Order, ReviewCase, Trade
from orders.reviews.evidence import Facts, facts_of
from orders.reviews.resolutions import RULES, Resolution


@dataclass(frozen=True, slots=True)
class Offer:
    """One resolution. `why_not` is "" when allowed. `postings` is its preview; `two_people` counts the threshold in."""

    resolution: Resolution
    title: str
    allowed: bool
    why_not: str
    ends_in: str
    postings: list[Posting]
    releases_hold: bool
    remote: str
    webhooks: list[str]
    two_people: bool


def offers(*, case: ReviewCase, now: datetime) -> list[Offer]:
    """Return every resolution of the case's order, from the stored evidence alone. Moves nothing."""
    order = Order.objects.get(reference=case.subject)
    trade = Trade.objects.filter(order_reference=order.reference).order_by("-id").first()
    if trade is None:
        return []
    facts = facts_of(order, trade)
    return [_offer(resolution, facts, case) for resolution in Resolution]


def why_not(*, resolution: Resolution, facts: Facts) -> str:
    """Return why a resolution is not allowed, or "" when it is."""
    if facts.order.state != Order.State.MANUAL_REVIEW:
        return f"The order has left manual review: it is {facts.order.state}."
    return RULES[resolution].why_not(facts)


def takes_two(*, resolution: Resolution, facts: Facts, case: ReviewCase) -> bool:
    """Tell whether a second person must approve: by its kind, or above the asset's threshold (none set: always)."""
    if RULES[resolution].two_people(facts):
        return True
    threshold = ApprovalThreshold.objects.filter(environment=case.environment, asset=case.asset).first()
    return threshold is None or case.amount_minor >= threshold.amount_minor


def _offer(resolution: Resolution, facts: Facts, case: ReviewCase) -> Offer:
    rule = RULES[resolution]
    refusal = why_not(resolution=resolution, facts=facts)
    drafts = rule.drafts(facts)
    return Offer(
        resolution=resolution,
        title=rule.title,
        allowed=not refusal,
        why_not=refusal,
        ends_in=rule.ends_in,
        postings=[posting for draft in drafts for posting in journal.postings_of(draft, environment=case.environment)],
        releases_hold=any(draft.hold_key for draft in drafts),
        remote=rule.remote(facts),
        webhooks=[f"order.{rule.ends_in}"],
        two_people=takes_two(resolution=resolution, facts=facts, case=case),
    )
