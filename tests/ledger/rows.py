"""Make a row of any table out of nothing but its columns, for tests that look at a table's guards alone."""

import itertools
from typing import Any, Final

import psycopg
from psycopg import sql

_numbers = itertools.count(1001)  # beyond the numbers of reference rows

_VALUES: Final = {
    "boolean": "false",
    "date": "current_date - {number}",
    "timestamp with time zone": "now()",
    "jsonb": "'{}'",
    "uuid": "uuidv7()",
    "bytea": "''",
}


def insert(connection: psycopg.Connection[Any], table: str, **given: object) -> int:
    """Insert a row, unique in every text and number that must not be null, and return its id."""
    columns = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attnotnull AND attidentity = '' AND NOT attname = ANY (%s)",
        [table, list(given)],
    ).fetchall()
    number = next(_numbers)
    values = [sql.SQL(_VALUES.get(kind, "'{number}'").replace("{number}", str(number))) for _, kind in columns]
    row = connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id").format(
            sql.Identifier(table),
            sql.SQL(", ").join([sql.Identifier(name) for name, _ in columns] + [sql.Identifier(n) for n in given]),
            sql.SQL(", ").join([*values, *(sql.Literal(value) for value in given.values())]),
        )
    ).fetchone()
    assert row is not None
    return int(row[0])
