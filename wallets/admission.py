"""Whether a gateway takes one more question now: its circuit breaker and its concurrency limit.

1 lock the gateway's breaker row: questions to one gateway are let in one after the other, by every worker alike
2 open: nothing is asked; once its time is over one question goes as a probe, and the others wait for what it tells
3 count the leases that run, in a second statement; at the limit nothing more is asked. Inquiries, for which a request
  waits, have a lower limit of their own beside it: they may fill neither the web's threads nor the room of what moves money

The lock is the last of a claim, so that it is held for one short statement and the commit.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db.models import Count, Min, Q

from wallets.gateway_port import Reply
from wallets.gateway_terms import WALLET
from wallets.models import Breaker, Gateway, InquiryLease, RemoteOperation
from wallets.outcomes import Cause, Unknown

log = structlog.get_logger(__name__)

# Answers that say the other side does not work, whatever became of the money.
_FAILURES: Final = frozenset({Cause.TIMEOUT, Cause.CONNECTION, Cause.SERVER_ERROR, Cause.UNREADABLE})
_SHORTEST_WAIT: Final = timedelta(milliseconds=100)
_LONGEST_WAIT: Final = timedelta(seconds=30)
_MOST_DOUBLINGS: Final = 5
_MOST_COUNTED: Final = 1000


@dataclass(frozen=True, slots=True)
class Admitted:
    """Ask."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Not now; perhaps after `wait`."""

    wait: timedelta
    reason: str


ADMITTED: Final = Admitted()


def admit(
    gateway: Gateway, *, token: str, lease: timedelta, now: datetime, inquiry: bool = False
) -> Admitted | HeldBack:
    """Let one question in, or hold it back. In the claim's transaction, before its lease is written.

    An inquiry has no row that could carry a lease: its own is written here. Its answer is `heard`, which takes it away.
    """
    breaker = _locked(gateway)
    if breaker.open_until is not None:
        if now < breaker.open_until:
            return HeldBack(_bounded(breaker.open_until - now), "circuit_open")
        if breaker.probe_until is not None and now < breaker.probe_until:
            return HeldBack(_bounded(breaker.probe_until - now), "circuit_probing")
    running = _running(gateway, now=now)
    if running["number"] >= gateway.concurrency:
        return HeldBack(_queue_wait(gateway, age=now + lease - running["oldest"]), "at_concurrency_limit")
    if inquiry and running["inquiries"] >= gateway.inquiry_concurrency:
        return HeldBack(_SHORTEST_WAIT, "at_inquiry_limit")
    if breaker.open_until is not None:
        breaker.probe_token, breaker.probe_until = token, now + lease
        breaker.save(update_fields=["probe_token", "probe_until"])
    if inquiry:
        InquiryLease.objects.create(gateway_id=gateway.pk, token=token, lease_until=now + lease)
    return ADMITTED


def room(gateway: Gateway, *, now: datetime) -> int:
    """Return how many questions may be let in together: none while the circuit is not closed, whose probe goes singly.

    In the claim's transaction, as `admit`.
    """
    if _locked(gateway).open_until is not None:
        return 0
    return max(0, int(gateway.concurrency) - int(_running(gateway, now=now)["number"]))


def heard(gateway: Gateway, reply: Reply, *, token: str, now: datetime) -> None:
    """Keep count of what an answer says about the gateway itself. In the transaction that writes the answer down."""
    if gateway.channel != WALLET:
        InquiryLease.objects.filter(gateway_id=gateway.pk, token=token).delete()
    failed = _failed(reply)
    if not failed and not reply.sent:  # it says nothing: the next question is the probe
        Breaker.objects.filter(gateway_id=gateway.pk, probe_token=token).update(probe_token="", probe_until=None)
        return
    if not failed:
        sound = Breaker.objects.filter(gateway_id=gateway.pk).filter(Q(failures__gt=0) | Q(open_until__isnull=False))
        closed = sound.update(
            failures=0, failing_since=None, open_until=None, openings=0, probe_token="", probe_until=None
        )
        if closed:
            log.info("gateway_answers_again", gateway_id=gateway.pk)
        return
    breaker = _locked(gateway)
    if breaker.open_until is None:
        _count(breaker, gateway, now=now)
    elif breaker.probe_token == token:
        _open(breaker, gateway, now=now)
    breaker.save()


def _running(gateway: Gateway, *, now: datetime) -> dict[str, Any]:
    """Count the leases that run, and name the one that ends first."""
    leased = RemoteOperation.objects.filter(gateway_id=gateway.pk, lease_until__gt=now)
    running = leased.aggregate(number=Count("pk"), oldest=Min("lease_until")) | {"inquiries": 0}
    if gateway.channel == WALLET:
        return running  # whom nobody inquires anything of
    InquiryLease.objects.filter(gateway_id=gateway.pk, lease_until__lte=now).delete()
    inquiries = InquiryLease.objects.filter(gateway_id=gateway.pk).aggregate(
        number=Count("pk"), oldest=Min("lease_until")
    )
    oldest = [each["oldest"] for each in (running, inquiries) if each["oldest"] is not None]
    return {
        "number": running["number"] + inquiries["number"],
        "oldest": min(oldest, default=None),
        "inquiries": inquiries["number"],
    }


def _count(breaker: Breaker, gateway: Gateway, *, now: datetime) -> None:
    window = timedelta(milliseconds=gateway.breaker_window_ms)
    if breaker.failing_since is None or now - breaker.failing_since > window:
        breaker.failing_since, breaker.failures = now, 0
    breaker.failures += 1
    if breaker.failures >= gateway.breaker_failures:
        _open(breaker, gateway, now=now)


def _open(breaker: Breaker, gateway: Gateway, *, now: datetime) -> None:
    """Open it, for twice as long after each probe that failed."""
    breaker.open_until = now + timedelta(
        milliseconds=gateway.breaker_open_ms * 2 ** min(breaker.openings, _MOST_DOUBLINGS)
    )
    breaker.openings += 1
    breaker.opened_at = now if breaker.openings == 1 else breaker.opened_at
    breaker.probe_token, breaker.probe_until = "", None
    log.warning("gateway_circuit_opened", gateway_id=gateway.pk, openings=breaker.openings)


def _failed(reply: Reply) -> bool:
    """Tell whether the gateway failed. What we were too late to send says nothing about it."""
    if not isinstance(reply.outcome, Unknown) or reply.outcome.cause not in _FAILURES:
        return False
    return reply.sent or reply.outcome.cause is Cause.CONNECTION


def _locked(gateway: Gateway) -> Breaker:
    breaker = Breaker.objects.select_for_update().filter(gateway_id=gateway.pk).first()
    if breaker is None:
        Breaker.objects.bulk_create([Breaker(gateway_id=gateway.pk)], ignore_conflicts=True)
        breaker = Breaker.objects.select_for_update().get(gateway_id=gateway.pk)
    return breaker


def _queue_wait(gateway: Gateway, *, age: timedelta) -> timedelta:
    """Return how long to wait for a turn: as long as the oldest question runs already, once for each round ahead."""
    prepared = RemoteOperation.objects.filter(gateway_id=gateway.pk, state=RemoteOperation.State.PREPARED)
    ahead = len(prepared.values_list("pk")[:_MOST_COUNTED])
    return _bounded(max(age, _SHORTEST_WAIT) * (1 + ahead // gateway.concurrency))


def _bounded(wait: timedelta) -> timedelta:
    return min(max(wait, _SHORTEST_WAIT), _LONGEST_WAIT)
