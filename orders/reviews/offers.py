"""What may be done about a case now: every resolution, allowed or not and why."""

from dataclasses import dataclass

from orders.models import ApprovalThreshold, ReviewCase
from orders.reviews.matter import Choice, Matter
from orders.reviews.matters import matter_of
from orders.reviews.resolutions import Resolution


@dataclass(frozen=True, slots=True)
class Offer:
    """One resolution. `why_not` is "" when allowed; `two_people` counts the threshold in."""

    resolution: Resolution
    title: str
    allowed: bool
    why_not: str
    ends_in: str
    two_people: bool
    by_agreement: bool


def offers(*, case: ReviewCase) -> list[Offer]:
    """Return every resolution of the case's subject, from the stored evidence alone. Moves nothing."""
    matter = matter_of(case.subject)
    above = _above_threshold(case)
    return [_offer(resolution, choice, matter, above=above) for resolution, choice in matter.choices.items()]


def takes_two(*, choice: Choice, case: ReviewCase) -> bool:
    """Tell whether a second person must approve: by its kind, or above the asset's threshold (none set: always)."""
    return choice.two_people or _above_threshold(case)


def _above_threshold(case: ReviewCase) -> bool:
    threshold = ApprovalThreshold.objects.filter(environment=case.environment, asset=case.asset).first()
    return threshold is None or case.amount_minor >= threshold.amount_minor


def _offer(resolution: Resolution, choice: Choice, matter: Matter, *, above: bool) -> Offer:
    refusal = matter.why_not(resolution)
    return Offer(
        resolution=resolution,
        title=choice.title,
        allowed=not refusal,
        why_not=refusal,
        ends_in=choice.ends_in,
        two_people=choice.two_people or above,
        by_agreement=choice.by_agreement,
    )
