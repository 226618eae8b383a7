"""A book in a few lines: orders per state, open cases, and that every asset sums to zero."""

from collections.abc import Iterator

from django.db.models import Count

from orders.models import Order, ReviewCase
from reconciliation.models import ExceptionCase
from reconciliation.totals import zero_sum


def lines(*, environment: str) -> Iterator[str]:
    """Yield the summary, one line each."""
    states = (
        Order.objects.filter(environment=environment).values("state").annotate(number=Count("id")).order_by("state")
    )
    yield "  orders      " + ", ".join(f"{row['state']} {row['number']}" for row in states)
    reviews = ReviewCase.objects.filter(environment=environment).exclude(state=ReviewCase.State.RESOLVED).count()
    breaks = ExceptionCase.objects.filter(
        environment=environment, state__in=[ExceptionCase.State.OPEN, ExceptionCase.State.ASSIGNED]
    ).count()
    yield f"  open        {reviews} review cases, {breaks} exception cases"
    sums = ", ".join(f"{asset} {net}" for asset, net in sorted(zero_sum(environment).items()))
    yield f"  zero-sum    {sums}"
