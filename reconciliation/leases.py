"""A close is run, and its files are made, by one process at a time: whoever holds the lease of its row. A dead one's lease
runs out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import F, Q

from ledger.controls import clock, randomness
from ledger.controls.redaction import redacted
from ledger.controls.refusals import Refusal
from reconciliation.models import CloseRun

if TYPE_CHECKING:
    from django.db.models import QuerySet

_LEASE = timedelta(minutes=15)
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)


class CloseBusy(Refusal):
    """This close is being run, or its files are being made, right now."""

    code = "close_busy"
    status = 409


class CloseNotOpen(Refusal):
    """This close is under review, signed or locked; it is run again only after it was opened again."""

    code = "close_not_open"
    status = 409


class LeaseLost(RuntimeError):
    """A run took longer than its lease, and another has taken over or the close was submitted: what this one found is not
    recorded.
    """


def take(close: CloseRun) -> str:
    """Take the lease and return its token. Raises CloseBusy or CloseNotOpen."""
    token = _taken(CloseRun.objects.filter(pk=close.pk, state=CloseRun.State.OPEN))
    if not token:
        still_open = CloseRun.objects.filter(pk=close.pk, state=CloseRun.State.OPEN).exists()
        raise CloseBusy if still_open else CloseNotOpen
    return token


@contextmanager
def held(close: CloseRun) -> Iterator[str]:
    """Hold the lease of a close of any state, and give it back. Raises CloseBusy."""
    token = _taken(CloseRun.objects.filter(pk=close.pk))
    if not token:
        raise CloseBusy
    try:
        yield token
    finally:
        CloseRun.objects.filter(pk=close.pk, lease_token=token).update(lease_until=None, lease_token="")


def keep_held(close: CloseRun, token: str) -> None:
    """Renew the lease of a close of any state. Raises LeaseLost."""
    renewed = CloseRun.objects.filter(pk=close.pk, lease_token=token).update(lease_until=clock.now() + _LEASE)
    if renewed != 1:
        raise LeaseLost(close.reference)


def keep(close: CloseRun, token: str) -> None:
    """Renew the lease between two steps. Raises LeaseLost."""
    _mine(close, token, lease_until=clock.now() + _LEASE)


def finish(close: CloseRun, token: str, *, available_at: datetime | None, **values: object) -> None:
    """Record the run and give the lease back. Raises LeaseLost."""
    _mine(
        close,
        token,
        **values,
        runs=F("runs") + 1,
        available_at=available_at,
        attempts=0,
        last_error="",
        lease_until=None,
        lease_token="",
    )


def give_up(close: CloseRun, token: str, error: BaseException) -> None:
    """Note what went wrong, and have the schedule wait before it tries again."""
    now = clock.now()
    pause = min(_FIRST_PAUSE * 2 ** min(close.attempts, 10), _LONGEST_PAUSE)
    _held(close, token).update(
        attempts=F("attempts") + 1,
        last_error=f"{type(error).__name__}: {redacted(str(error))}"[:300],
        available_at=now + pause,
        lease_until=None,
        lease_token="",
    )


def _taken(close: "QuerySet[CloseRun]") -> str:
    """Take the lease of a row that nobody holds and return its token, empty when there is none such."""
    now = clock.now()
    token = randomness.octets(16).hex()
    free = close.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))
    return token if free.update(lease_until=now + _LEASE, lease_token=token) == 1 else ""


def _mine(close: CloseRun, token: str, **values: object) -> None:
    if _held(close, token).update(**values) != 1:
        raise LeaseLost(close.reference)


def _held(close: CloseRun, token: str) -> "QuerySet[CloseRun]":
    """What was submitted meanwhile, its lease having run out, is nobody's to run."""
    return CloseRun.objects.filter(pk=close.pk, lease_token=token, state=CloseRun.State.OPEN)
