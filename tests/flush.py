"""Bring the test database back to what the migrations and the reference rows left in it.

The superuser does it with triggers off: the application may neither truncate nor touch the journal.
"""

from typing import Final

import psycopg
from psycopg import sql

from tests.copied_columns import CopiedColumns

_KEPT: Final = "kept_reference_rows"
_KEPT_WORLD: Final = "kept_world"
_TRUNCATED_ABOVE: Final = 4 * 1024 * 1024

# A small statement for each table: a single large one would be planned anew after each TRUNCATE. A few rows are deleted
# (under a millisecond); only a table that has grown to megabytes is worth new files, several milliseconds.
_EMPTY_TABLES: Final = """
    CREATE FUNCTION pg_temp.empty_tables(names text[], most_bytes bigint) RETURNS SETOF text LANGUAGE plpgsql AS $$
    DECLARE
        name text;
        bytes bigint;
        filled boolean;
    BEGIN
        FOR name, bytes IN
            SELECT relname, pg_relation_size(oid) FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relname = ANY (names) AND pg_relation_size(oid) > 0
        LOOP
            IF bytes > most_bytes THEN
                RETURN NEXT name;
            ELSE
                EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO filled;
                IF filled THEN
                    EXECUTE format('DELETE FROM public.%I', name);
                END IF;
            END IF;
        END LOOP;
    END $$
"""
_REFERENCES: Final = "SELECT confrelid::regclass::text, conrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"


class Flush:
    """Empty the run-time tables, and put the reference rows back where a test changed them.

    A table that has rows right after the migrations and ``reference_rows`` is a reference table: its rows
    are kept aside in a schema of their own. Every other table is a run-time table.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        connection.execute(_EMPTY_TABLES)
        tables = [row[0] for row in connection.execute(_TABLES).fetchall()]
        filled = self._filled(tables)
        self.reference_tables = sorted(filled)
        self.runtime_tables = [name for name in tables if name not in filled]
        self._references = [(row[0], row[1]) for row in connection.execute(_REFERENCES).fetchall()]
        self._columns = CopiedColumns(connection)
        self._keep_aside()
        self._which_sums = self._sums_question()
        self._sums = self._checksums()

    def __call__(self) -> None:
        """Flush; several milliseconds."""
        with self._connection.transaction():
            self._connection.execute("SET LOCAL session_replication_role = replica")
            self._connection.execute("SET LOCAL lock_timeout = '20s'")
            if large := self._with_referrers(self._emptied_but_large()):
                self._connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(_joined(sorted(large))))
            changed = [name for name, total in self._checksums().items() if total != self._sums[name]]
            for name in changed:
                self._connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("public", name)))
                self._connection.execute(self._columns.put_back(name, schema=_KEPT))

    def keep(self) -> list[str]:
        """Keep a copy of all that is not as the migrations left it, for `bring_back`; return those tables' names."""
        changed = {name for name, total in self._checksums().items() if total != self._sums[name]}
        names = sorted(self._filled(self.runtime_tables) | changed)
        with self._connection.transaction():
            self._connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(_KEPT_WORLD)))
            self._connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(_KEPT_WORLD)))
            self._copy_to(_KEPT_WORLD, names)
        return names

    def bring_back(self, names: list[str]) -> None:
        """Flush, and put back what `keep` has kept of these tables; some tens of milliseconds."""
        self()
        with self._connection.transaction():
            self._connection.execute("SET LOCAL session_replication_role = replica")
            self._connection.execute(
                sql.SQL("; ").join(
                    sql.SQL("DELETE FROM {}; {}").format(
                        sql.Identifier("public", name), self._columns.put_back(name, schema=_KEPT_WORLD)
                    )
                    for name in names
                )
            )

    def _with_referrers(self, tables: set[str]) -> set[str]:
        """Add the tables whose foreign keys point at these: they can only be truncated together."""
        while found := {referrer for target, referrer in self._references if target in tables} - tables:
            tables = tables | found
        return tables

    def _emptied_but_large(self) -> set[str]:
        question = "SELECT pg_temp.empty_tables(%s, %s)"
        rows = self._connection.execute(question, (self.runtime_tables, _TRUNCATED_ABOVE)).fetchall()
        return {row[0] for row in rows}

    def _filled(self, tables: list[str]) -> set[str]:
        question = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(name), sql.Identifier("public", name))
            for name in tables
        )
        return {row[0] for row in self._connection.execute(question).fetchall()}

    def _keep_aside(self) -> None:
        with self._connection.transaction():
            self._connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(_KEPT)))
            self._connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(_KEPT)))
            self._copy_to(_KEPT, self.reference_tables)

    def _copy_to(self, schema: str, names: list[str]) -> None:
        for name in names:
            self._connection.execute(
                sql.SQL("CREATE TABLE {} AS TABLE {}").format(
                    sql.Identifier(schema, name), sql.Identifier("public", name)
                )
            )

    def _checksums(self) -> dict[str, str | None]:
        return dict(self._connection.execute(self._which_sums).fetchall())

    def _sums_question(self) -> bytes:
        return (
            sql.SQL(" UNION ALL ")
            .join(
                sql.SQL("SELECT {}, md5(string_agg(r::text, E'\\n' ORDER BY r::text)) FROM {} AS r").format(
                    sql.Literal(name), sql.Identifier("public", name)
                )
                for name in self.reference_tables
            )
            .as_bytes(self._connection)
        )


def _joined(names: list[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier("public", name) for name in names)
