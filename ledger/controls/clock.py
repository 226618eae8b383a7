"""The clock port: the one source of *now* for decisions.

In production the database tells the time, so that every process agrees. A test or the simulation installs a
clock of its own with `use`, and then Python, SQL parameters and counterparties share it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Protocol

from django.db import connection


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def parameter(self) -> datetime | None:
        """Return what SQL gets as its time: None means `clock_timestamp()`."""
        ...

    def monotonic(self) -> float:
        """Return seconds for measuring durations, never for deciding what is due."""
        ...


class DatabaseClock:
    def now(self) -> datetime:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            row = cursor.fetchone()
        assert row is not None
        instant: datetime = row[0]
        return instant

    def parameter(self) -> datetime | None:
        return None

    def monotonic(self) -> float:
        return time.monotonic()


class FixedClock:
    """A clock that moves only when told to. For tests and the simulation."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant

    def now(self) -> datetime:
        return self._instant

    def parameter(self) -> datetime | None:
        return self._instant

    def monotonic(self) -> float:
        return self._instant.timestamp()

    def move_to(self, instant: datetime) -> None:
        assert instant >= self._instant
        self._instant = instant


_production: Clock = DatabaseClock()
_clock: ContextVar[Clock] = ContextVar("clock", default=_production)


def now() -> datetime:
    """Read *now* once per transaction and pass it on."""
    return _clock.get().now()


def parameter() -> datetime | None:
    return _clock.get().parameter()


def monotonic() -> float:
    return _clock.get().monotonic()


@contextmanager
def use(clock: Clock) -> Iterator[Clock]:
    """Install a clock for the body of a `with` block (this context only)."""
    token = _clock.set(clock)
    try:
        yield clock
    finally:
        _clock.reset(token)
