"""The close's schedule: every missed date is made, what is due is run, proved or finished, and files that somebody asked for
are made again. Drain "closes".

A scheduler that slept catches up: dates are counted from the book's first record, not from when it last looked. A statement's
line from before that has its date closed too.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Final

import structlog
from django.db import connection
from django.db.models import Q, QuerySet

from ledger.controls import bell, clock, drains
from ledger.environments import Environment
from reconciliation import close_runs, making_again, proving, signing
from reconciliation.leases import CloseBusy, CloseNotOpen
from reconciliation.models import CloseRun, StatementLine
from reconciliation.windows import business_date_of

log = structlog.get_logger(__name__)

_PAUSE: Final = timedelta(minutes=1)

MAXIMUM_DATES = 400
"""How many missed dates one pass makes; the next pass makes the rest."""

_FIRST_RECORD = """
SELECT min(first) FROM (
    SELECT (SELECT min(m.moved_at) FROM ledger_move m
            WHERE m.environment = %(environment)s AND m.machine = k.machine) AS first
    FROM (VALUES ('quote'), ('order'), ('trade')) AS k (machine)
    UNION ALL
    SELECT (SELECT min(x.effective_at) FROM ledger_transaction x WHERE x.book_id = b.id)
    FROM ledger_book b WHERE b.environment = %(environment)s) AS firsts
"""


def register() -> None:
    drains.register(drains.Drain(kind="closes", work=work, depth=depth))


def work() -> int:
    """Make the missed dates, then run the oldest close that is due. Returns how many runs were made."""
    now = clock.now()
    ensure_missed(now=now)
    for close in _signed_or_reviewed(now)[:10]:
        try:
            signing.finish_locked(close) if close.state == CloseRun.State.LOCKED else proving.prove(close)
        except Exception as error:  # one that fails holds up no other; a proof has put itself off
            log.exception("close.not_finished", close=close.reference, error=type(error).__name__)
            CloseRun.objects.filter(pk=close.pk, available_at__lte=now).update(available_at=now + _PAUSE)
    for close in _asked_for_files(now)[:10]:
        try:
            making_again.restore_asked(close)
        except CloseBusy:
            continue  # it is asked for still
        except Exception as error:  # its close says so
            log.exception("close.files_not_made_again", close=close.reference, error=type(error).__name__)
    for close in _due(now).order_by("available_at", "business_date")[:10]:
        try:
            close_runs.run(close=close)
        except (CloseBusy, CloseNotOpen):
            continue  # somebody else runs or reviews it
        return 1
    return 0


def request_run(close: CloseRun, *, now: datetime) -> None:
    """Have a close run as soon as a worker hears of it. Raises CloseNotOpen."""
    asked = CloseRun.objects.filter(pk=close.pk, state=CloseRun.State.OPEN).update(available_at=now)
    if asked != 1:
        raise CloseNotOpen
    bell.ring_after_commit("closes")


def look_again(*, environment: str, dates: Collection[date], now: datetime) -> None:
    """Have those of these dates run that nobody has signed and that rest: a line came, or lost its match."""
    idle = CloseRun.objects.filter(environment=environment, business_date__in=dates, state=CloseRun.State.OPEN)
    if idle.filter(available_at__isnull=True).update(available_at=now):
        bell.ring_after_commit("closes")


def depth() -> int:
    """Count the runs that are due, those of dates not yet made among them."""
    now = clock.now()
    return (
        _due(now).count()
        + _signed_or_reviewed(now).count()
        + _asked_for_files(now).count()
        + sum(len(missed_dates(environment, now=now)) for environment in Environment)
    )


def ensure_missed(*, now: datetime) -> list[CloseRun]:
    """Make a close for every date up to yesterday that has none, of each book that has any record."""
    return [
        close_runs.ensure(environment=environment, business_date=day)
        for environment in Environment
        for day in missed_dates(environment, now=now)
    ]


def missed_dates(environment: str, *, now: datetime) -> list[date]:
    """Return the dates up to yesterday that have no close, the oldest first: each with a statement's line, and all from the
    book's first record on.
    """
    today = business_date_of(environment=environment, instant=now)
    first = first_date(environment) or today
    of_lines = set(
        StatementLine.objects.filter(environment=environment, business_date__lt=min(first, today))
        .values_list("business_date", flat=True)
        .distinct()
    )
    days = [*sorted(of_lines), *(first + timedelta(days=offset) for offset in range((today - first).days))]
    if not days:
        return []
    there = set(
        CloseRun.objects.filter(environment=environment, business_date__gte=days[0]).values_list(
            "business_date", flat=True
        )
    )
    return [day for day in days if day not in there][:MAXIMUM_DATES]


def first_date(environment: str) -> date | None:
    """Return the business date of the book's first record, None when it has none."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_RECORD, {"environment": environment})
        row = cursor.fetchone()
    return business_date_of(environment=environment, instant=row[0]) if row and row[0] else None


def book_with_records() -> str:
    """Return the first book that has any record; the test book when none has."""
    with_records = [environment.value for environment in Environment if first_date(environment) is not None]
    return with_records[0] if with_records else Environment.TEST.value


def _signed_or_reviewed(now: datetime) -> QuerySet[CloseRun]:
    """Return the closes whose files wait to be proved, and the locked ones whose orders wait to be closed."""
    waiting = CloseRun.objects.filter(
        state__in=[CloseRun.State.IN_REVIEW, CloseRun.State.LOCKED], available_at__lte=now
    )
    return waiting.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now)).order_by("available_at", "pk")


def _asked_for_files(now: datetime) -> QuerySet[CloseRun]:
    waiting = CloseRun.objects.filter(files_asked_at__lte=now)
    return waiting.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now)).order_by("files_asked_at", "pk")


def _due(now: datetime) -> QuerySet[CloseRun]:
    return CloseRun.objects.filter(state=CloseRun.State.OPEN, available_at__lte=now).filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    )
