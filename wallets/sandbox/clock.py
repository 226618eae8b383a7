"""The sandbox's clock: it is another party and does not share the house's."""

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def text(stored: int | None) -> str | None:
    """Write a stored instant as RFC 3339."""
    if stored is None:
        return None
    return (_EPOCH + stored * _MICROSECOND).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read(written: str) -> datetime | None:
    """Read an RFC 3339 instant with its offset; None when it is not one."""
    try:
        instant = datetime.fromisoformat(written)
        return instant.astimezone(UTC) if instant.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
