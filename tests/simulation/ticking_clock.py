"""The world's one clock: it moves when told to, and a microsecond at each reading, so that no two instants tie."""

from datetime import UTC, datetime, timedelta

_TICK = timedelta(microseconds=1)


class TickingClock:
    def __init__(self, instant: datetime) -> None:
        self._instant = instant

    def now(self) -> datetime:
        self._instant += _TICK
        return self._instant

    def parameter(self) -> datetime:
        return self.now()

    def monotonic(self) -> float:
        return self._instant.timestamp()

    def shown(self) -> datetime:
        """Return the instant without moving it: for whoever only looks on."""
        return self._instant

    def advance(self, time: timedelta) -> None:
        assert time >= timedelta(0)
        self._instant += time


START = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
