"""One look at everything: checks and artifacts of a run read the same instant, and can change nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection
from django.db import transaction as db_transaction
from django.db.backends.utils import CursorWrapper


@contextmanager
def snapshot() -> Iterator[CursorWrapper]:
    """Read in one transaction, repeatable and read-only.

    The planner is told what checks are: joins by ids over a window's records. Compiling them just in time costs more
    than it saves, indexes are in memory, and a sort or hash of a day's records should not go to disk.
    """
    with db_transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1; SET LOCAL work_mem = '32MB'")
        yield cursor


def began_at(cursor: CursorWrapper) -> datetime:
    """Return the database's time, asked first in a snapshot: of every transaction begun later it has seen nothing, of one
    begun before what had been committed.
    """
    cursor.execute("SELECT clock_timestamp()")
    row = cursor.fetchone()
    assert row is not None
    instant: datetime = row[0]
    return instant
