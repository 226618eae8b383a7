"""What may be done about a case now: every resolution, allowed or not and why, with what it would do."""

from dataclasses import dataclass, replace

from ledger.controls.refusals import Refusal
from orders.models import ApprovalThreshold, ReviewCase
from orders.reviews.matter import Choice, Matter
from orders.reviews.matters import matter_of
from orders.reviews.previews import Preview, preview
from orders.reviews.resolutions import Resolution


@dataclass(frozen=True, slots=True)
class Offer:
    """One resolution. `why_not` is "" when allowed; `two_people` counts the threshold in. `preview` stands when asked for."""

    resolution: Resolution
    title: str
    allowed: bool
    why_not: str
    ends_in: str
    two_people: bool
    by_agreement: bool
    preview: Preview | None = None


def offers(*, case: ReviewCase, previewed: bool = False) -> list[Offer]:
    """Return every resolution of the case's subject, from the stored evidence alone. Moves nothing.

    With `previewed`, what is allowed is carried out and rolled back: what it shows is what happens.
    """
    matter = matter_of(case.subject)
    found = [_offer(resolution, choice, matter, case) for resolution, choice in matter.choices.items()]
    return [foreseen(offer, case) for offer in found] if previewed else found


def takes_two(*, choice: Choice, case: ReviewCase) -> bool:
    """Tell whether a second person must approve: by its kind, or above the asset's threshold (none set: always)."""
    if choice.two_people:
        return True
    threshold = ApprovalThreshold.objects.filter(environment=case.environment, asset=case.asset).first()
    return threshold is None or case.amount_minor >= threshold.amount_minor


def _offer(resolution: Resolution, choice: Choice, matter: Matter, case: ReviewCase) -> Offer:
    refusal = matter.why_not(resolution)
    return Offer(
        resolution=resolution,
        title=choice.title,
        allowed=not refusal,
        why_not=refusal,
        ends_in=choice.ends_in,
        two_people=takes_two(choice=choice, case=case),
        by_agreement=choice.by_agreement,
    )


def foreseen(offer: Offer, case: ReviewCase) -> Offer:
    """Return an offer with what it would do. What the books refuse, or a freeze, is not allowed after all, and says why."""
    if not offer.allowed:
        return offer
    try:
        return replace(offer, preview=preview(case, offer.resolution))
    except Refusal as refusal:
        return replace(offer, allowed=False, why_not=refusal.message)
