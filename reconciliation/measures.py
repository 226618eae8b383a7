"""What `/metrics` says of closes and exception cases."""

from collections.abc import Iterator, Mapping

from django.db.models import Count, Q

from ledger.controls import clock, metrics
from orders.models import ReviewCase
from reconciliation.models import CloseRun, ExceptionCase


def register() -> None:
    metrics.register("holdfast_exceptions_open", "Exception cases that nobody has ended.", "gauge", _exceptions)
    metrics.register("holdfast_reviews_open", "Orders in manual review: an alert.", "gauge", _reviews)
    metrics.register("holdfast_closes_late", "Dates that are over and whose close has not run since.", "gauge", _late)
    metrics.register("holdfast_closes_failing", "Closes whose last run raised a defect.", "gauge", _failing)


def _reviews() -> Iterator[tuple[Mapping[str, str], int]]:
    waiting = ReviewCase.objects.exclude(state=ReviewCase.State.RESOLVED).values_list("environment", "reason")
    for environment, reason, count in waiting.annotate(Count("pk")).order_by("environment", "reason"):
        yield {"environment": environment, "reason": reason}, count


def _exceptions() -> Iterator[tuple[Mapping[str, str], int]]:
    live = Q(state__in=[ExceptionCase.State.OPEN, ExceptionCase.State.ASSIGNED])
    counted = ExceptionCase.objects.filter(live).values_list("environment", "type").annotate(Count("pk"))
    for environment, type_, count in counted.order_by("environment", "type"):
        yield {"environment": environment, "type": type_}, count


def _late() -> Iterator[tuple[Mapping[str, str], int]]:
    yield {}, CloseRun.objects.filter(state=CloseRun.State.OPEN, window_to__lte=clock.now(), provisional=True).count()


def _failing() -> Iterator[tuple[Mapping[str, str], int]]:
    yield {}, CloseRun.objects.filter(attempts__gt=0).count()
