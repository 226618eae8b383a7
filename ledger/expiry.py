"""The sweep of holds whose timeout has passed: their amounts return. Also a kind of work that the drains know."""

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from ledger.controls import clock, drains
from ledger.models import Hold, HoldState

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


def expired(subject: OuterRef) -> Q:
    """Return the condition of a subject that has a hold which ended by its timeout, and none that is open or posted."""
    holds = Hold.objects.filter(transaction__subject=subject)
    ended = Exists(holds.filter(state=HoldState.EXPIRED))
    return Q(ended) & ~Q(Exists(holds.filter(state__in=(HoldState.OPEN, HoldState.POSTED))))


def register() -> None:
    drains.register(drains.Drain(kind="hold_expiry", work=expire, depth=due))
