"""How many rows that stand the statements of a block read of a table, by itself or through its indexes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection
from django.db import transaction as db_transaction
from psycopg import sql

_READ = """
SELECT coalesce(sum(pg_stat_get_xact_tuples_fetched(i.indexrelid)), 0) + max(pg_stat_get_xact_tuples_fetched(c.oid))
       + max(pg_stat_get_xact_tuples_returned(c.oid))
FROM pg_class AS c JOIN pg_index AS i ON i.indrelid = c.oid WHERE c.oid = %s::regclass
"""


@dataclass(slots=True)
class RowsRead:
    rows: int = 0


@contextmanager
def rows_read(table: str, superuser: "psycopg.Connection[Any] | None" = None) -> Iterator[RowsRead]:
    """Open a transaction for the block, in which a table is read for want of an index alone; count when it has ended.

    With a superuser the planner is told first how the table is now: what it remembers is of the tests before.
    """
    if superuser is not None:
        superuser.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
    found = RowsRead()
    with db_transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(_READ, [table])
        before = cursor.fetchone()[0]
        yield found
        cursor.execute(_READ, [table])
        found.rows = int(cursor.fetchone()[0] - before)
