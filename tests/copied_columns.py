"""Which columns a copy of a table's rows is put back into: all but those that the database generates."""

from typing import Any

import psycopg
from psycopg import sql

_COLUMNS = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
GROUP BY c.relname
"""


class CopiedColumns:
    """The columns of every table, as they are when this is made."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._of: dict[str, list[str]] = dict(connection.execute(_COLUMNS).fetchall())

    def put_back(self, table: str, *, schema: str) -> sql.Composed:
        """Return the statement that puts a schema's copy of a table's rows back into it."""
        names = sql.SQL(", ").join(map(sql.Identifier, self._of[table]))
        return sql.SQL("INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {1} FROM {2}").format(
            sql.Identifier("public", table), names, sql.Identifier(schema, table)
        )
