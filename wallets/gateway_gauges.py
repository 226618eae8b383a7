"""What `/metrics` says of the doors to money held elsewhere."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from django.db.models import Count, Q

from ledger.controls import clock, metrics
from wallets.models import Breaker, Gateway, InquiryLease, RemoteOperation

_Samples = Iterator[tuple[Mapping[str, str], int | float]]
_OPEN: Final = (RemoteOperation.State.PREPARED, RemoteOperation.State.ASKED, RemoteOperation.State.UNKNOWN)


def register() -> None:
    metrics.register("holdfast_gateway_paused", "1 while asks through this gateway are paused.", "gauge", _paused)
    metrics.register(
        "holdfast_gateway_circuit_open",
        "1 from the opening of a gateway's circuit until it answers again: an alert.",
        "gauge",
        _circuits,
    )
    metrics.register("holdfast_gateway_failures", "Questions in a row that a gateway failed.", "gauge", _failures)
    metrics.register("holdfast_gateway_running", "Questions to a gateway that run now.", "gauge", _running)
    metrics.register(
        "holdfast_remote_operations_open", "Remote operations without a known outcome, by state.", "gauge", _operations
    )


def _paused() -> _Samples:
    now = clock.now()
    for gateway in Gateway.objects.select_related("operator").order_by("pk"):
        yield _labels(gateway), int(gateway.paused_until is not None and now < gateway.paused_until)


def _circuits() -> _Samples:
    for breaker in _breakers():
        yield _labels(breaker.gateway), int(breaker.open_until is not None)


def _failures() -> _Samples:
    for breaker in _breakers():
        yield _labels(breaker.gateway), breaker.failures


def _running() -> _Samples:
    running: Counter[int] = Counter()
    for leases in (RemoteOperation.objects, InquiryLease.objects):
        rows = leases.filter(lease_until__gt=clock.now()).values_list("gateway_id").annotate(Count("pk"))
        running.update(dict(rows.order_by("gateway_id")))
    for gateway in Gateway.objects.select_related("operator").order_by("pk"):
        yield _labels(gateway), running[gateway.pk]


def _operations() -> _Samples:
    rows = RemoteOperation.objects.filter(Q(state__in=_OPEN)).values_list("environment", "state").annotate(Count("pk"))
    for environment, state, count in rows.order_by("environment", "state"):
        yield {"environment": environment, "state": state}, count


def _breakers() -> list[Breaker]:
    return list(Breaker.objects.select_related("gateway__operator").order_by("pk"))


def _labels(gateway: Gateway) -> dict[str, str]:
    return {"operator": gateway.operator.slug, "environment": gateway.environment, "channel": gateway.channel}
