"""The fold: open delta rows summed into their accounts. Also a kind of work that the drains know."""

from django.db import connection

from ledger.controls import drains

_BATCH = 5000


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


def register() -> None:
    drains.register(drains.Drain(kind="fold", work=fold, depth=open_deltas))
