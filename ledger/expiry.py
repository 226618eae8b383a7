"""The sweep of holds whose timeout has passed: their amounts return. Also a kind of work that the drains know."""

from collections.abc import Sequence

from django.db import connection

from ledger.controls import clock, drains

_BATCH = 500


def expire() -> int:
    """End a batch of holds that are due in each book; return how many ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM ledger_book ORDER BY id")
        books = [row[0] for row in cursor.fetchall()]
        ended = 0
        for book in books:
            cursor.execute("SELECT ledger_expire(%s::smallint, %s, %s::timestamptz)", [book, _BATCH, clock.parameter()])
            row = cursor.fetchone()
            assert row is not None
            ended += int(row[0])
    return ended


def due() -> int:
    """Count open holds whose timeout has passed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM ledger_hold WHERE state = 'open'"
            " AND expires_at <= coalesce(%s::timestamptz, clock_timestamp())",
            [clock.parameter()],
        )
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def expired_among(subjects: Sequence[str]) -> set[str]:
    """Return those subjects that have a hold which ended by its timeout, and none that was posted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.subject FROM ledger_transaction AS t JOIN ledger_hold AS h ON h.transaction_id = t.id"
            " WHERE t.subject = ANY (%s) GROUP BY t.subject"
            " HAVING bool_or(h.state = 'expired') AND NOT bool_or(h.state IN ('open', 'posted'))",
            [list(subjects)],
        )
        return {str(row[0]) for row in cursor.fetchall()}


def register() -> None:
    drains.register(drains.Drain(kind="hold_expiry", work=expire, depth=due))
