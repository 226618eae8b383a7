"""When a delivery is tried again: the schedule of Standard Webhooks, jitter, and the receiver's Retry-After. Pure."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

SCHEDULE: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""How long after the first, second … failed attempt the next one comes. After the last of them there is none."""

LONGEST_RETRY_AFTER: Final = timedelta(hours=24)
_JITTER: Final = 0.2


def delay_after(*, attempt: int, fraction: float, retry_after: timedelta | None) -> timedelta | None:
    """Return how long to wait after the attempt of this number (from 1) failed, or None when it was the last.

    `fraction`, in [0, 1), chooses the jitter: up to a fifth more. A receiver may ask for more time, not for less.
    """
    if attempt > len(SCHEDULE):
        return None
    delay = SCHEDULE[attempt - 1] * (1 + _JITTER * fraction)
    return max(delay, min(retry_after or timedelta(0), LONGEST_RETRY_AFTER))


def read_retry_after(value: str, *, now: datetime) -> timedelta | None:
    """Return the wait that a Retry-After header asks for, in seconds or as a date; None when it is unreadable."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(moment - now, timedelta(0))
