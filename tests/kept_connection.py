"""Keep the database connection from one test to the next: a new session of the server knows none of the tables yet.

Between two tests it becomes what a new one would be: no settings, locks, listeners, prepared
statements or plans.
"""

import time

from django.db import connections
from psycopg import Error
from psycopg.pq import TransactionStatus

from ledger.controls import prepared


def keep_or_close() -> None:
    """Make this thread's connection as good as new; close one that a test has left in a transaction or broken."""
    django = connections["default"]
    session = django.connection
    if (
        session is None
        or django.in_atomic_block
        or not django.get_autocommit()
        or session.info.transaction_status != TransactionStatus.IDLE
    ):
        connections.close_all()
        return
    try:
        prepared.forget()
        session.execute("DISCARD ALL")
    except Error:
        connections.close_all()
        return
    django.run_on_commit.clear()
    django.errors_occurred = False
    django.health_check_done = True  # type: ignore[attr-defined]
    age = django.settings_dict["CONN_MAX_AGE"]
    django.close_at = None if age is None else time.monotonic() + age
