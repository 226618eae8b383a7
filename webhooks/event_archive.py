"""Events are moved into the archive by age: those of locked days alone. Off until EVENT_ARCHIVE_DAYS says otherwise.

What reads events finds them there too (`event_log`, the view `ledger_event_ever`); what sends them does not.
"""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import connection
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.environments import Environment

KIND: Final = "event_archive"
_BATCH: Final = 1000


def archive(*, environment: str, older_than: timedelta) -> int:
    """Move a batch of an environment's events; return how many."""
    before = clock.now() - older_than
    with db_transaction.atomic(), connection.cursor() as cursor:
        # whoever sends events again has chosen them (`transitions.hold_the_archive`), or chooses after this
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('event_archive', 8))")
        cursor.execute(
            "SELECT webhooks_archive_events(%s, %s, %s, %s::timestamptz)",
            [environment, before, _BATCH, clock.parameter()],
        )
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def work() -> int:
    """Move a batch of each environment; return how many events, 0 while it is off."""
    days = int(settings.EVENT_ARCHIVE_DAYS)
    if days == 0:
        return 0
    return sum(archive(environment=environment, older_than=timedelta(days=days)) for environment in Environment)


def register() -> None:
    drains.register(drains.Drain(kind=KIND, work=work, depth=lambda: 0))  # housekeeping: never overdue
