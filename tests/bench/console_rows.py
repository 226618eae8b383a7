"""The rows that the console's pages show, made in bulk by SQL, as they lie after months: consistent in their ids, most of them
long ended; few are open, and every list has some.

A table's columns are given as SQL over what it is made from; a column that may not be empty and is not given gets its type's
nothing. Triggers are off: only a database that is thrown away afterwards is filled so.
"""

from collections.abc import Iterator
from typing import Any, Final

import psycopg

from tests.bench.console_tables import book, busy, buys, closing, messages, partners, payments, people
from tests.bench.console_tables.made import MANY, Rows
from tests.bench.filling import indexes_at_the_end

_NUMBERED: Final = """
CREATE TEMP TABLE filled AS SELECT n, lpad(n::text, 26, '0') AS id,
    now() - ({orders} - n) * interval '8 seconds' AS at, now()::date - ({orders} - n) / 10800 AS day,
    CASE WHEN n % 50 = 0 AND n > {orders} - greatest({orders} / 40, 2400) THEN 'manual_review'
         WHEN n > {orders} - 200 THEN 'operator_debit_pending' WHEN n > {orders} - 240 THEN 'compensation_pending'
         WHEN n % 97 = 0 THEN 'compensated' WHEN n % 31 = 0 THEN 'failed' ELSE 'processed' END AS state
FROM generate_series(1, {orders}) AS n
"""
_FEW: Final = f"""
CREATE TEMP TABLE few AS SELECT n, lpad(n::text, 26, '0') AS id, now() - n * interval '1 day' AS at, now()::date - n AS day
FROM generate_series(1, {MANY}) AS n
"""
_COLUMNS: Final = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = %s AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'
"""
_NUMBERS: Final = dict.fromkeys(("bigint", "integer", "smallint", "numeric"), "0")
_NOTHING: Final = (
    _NUMBERS
    | dict.fromkeys(("character varying", "text", "bytea"), "''")
    | {"boolean": "false", "jsonb": "'{}'", "date": "day", "timestamp with time zone": "at"}
)


def fill(connection: "psycopg.Connection[Any]", *, orders: int) -> None:
    """Make that many orders, with all that belongs to them, as the superuser, in autocommit."""
    connection.execute("SET session_replication_role = replica")
    connection.execute("SET synchronous_commit = off")
    connection.execute(_NUMBERED.format(orders=orders))
    connection.execute(_FEW)
    every = list(_every(orders))
    tables = list(dict.fromkeys(rows.table for rows in every))
    with indexes_at_the_end(connection, tables):
        for rows in every:
            columns = {**_nothing(connection, rows), **rows.columns}
            connection.execute(
                f"INSERT INTO {rows.table} ({', '.join(columns)}) OVERRIDING SYSTEM VALUE "
                f"SELECT {', '.join(columns.values())} FROM {rows.made_from}"
            )
    for table in tables:
        connection.execute(f"VACUUM ANALYZE {table}")
    connection.execute("SET session_replication_role = origin")


def _nothing(connection: "psycopg.Connection[Any]", rows: Rows) -> dict[str, str]:
    found = connection.execute(_COLUMNS, [rows.table]).fetchall()
    return {name: _NOTHING[kind] for name, kind in found if name not in rows.columns}


def _every(orders: int) -> Iterator[Rows]:
    yield from buys.rows()
    yield from payments.rows()
    yield from messages.rows()
    yield from people.rows(orders)
    yield from book.rows()
    yield from closing.rows(orders)
    yield from partners.rows()
    yield from busy.rows(orders)
