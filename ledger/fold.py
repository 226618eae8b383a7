"""The fold: open delta rows summed into their accounts. Also a kind of work that the drains know."""

from django.db import connection

from ledger.controls import clock, drains

_BATCH = 5000
_EVERY_SECONDS = 5.0


def fold() -> int:
    """Fold a batch in one statement and return how many delta rows it took; 0 when another fold is under way."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_fold(%s)", [_BATCH])
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def open_deltas() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_delta")
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


class Eldest:
    """The oldest transaction with open deltas, and since when this process has seen it: a delta says nothing of time."""

    def __init__(self) -> None:
        self._seen: tuple[str | None, float] = (None, 0.0)

    def has_waited(self, seconds: float) -> bool:
        """Tell whether the oldest was there so long ago already."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT xmin::text FROM ledger_delta ORDER BY age(xmin) DESC LIMIT 1")
            row = cursor.fetchone()
        now = clock.monotonic()
        eldest = None if row is None else str(row[0])
        if eldest is None or eldest != self._seen[0]:
            self._seen = (eldest, now)
            return False
        return now - self._seen[1] >= seconds


def register() -> None:
    drains.register(
        drains.Drain(
            kind="fold",
            work=fold,
            depth=open_deltas,
            has_waited=Eldest().has_waited,
            batch=_BATCH,
            every_seconds=_EVERY_SECONDS,
        )
    )
