"""Scenes that are set up once by real operations, kept aside, and put back for each world that begins with them.

Setting a scene up takes longer than most worlds last. The superuser copies its rows into a schema of their own, and back
with triggers off; every other run-time table is emptied and its numbers begin anew, so that each world has the same ids.
"""

from collections.abc import Sequence
from typing import Final

import psycopg
from psycopg import sql

from tests.copied_columns import CopiedColumns

_KEPT: Final = "kept_scene_"
_VACUUM_EVERY: Final = 20
_SEQUENCES: Final = """
SELECT s.relname, t.relname, a.attname FROM pg_class s
JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
JOIN pg_class t ON t.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE s.relkind = 'S' AND t.relnamespace = 'public'::regnamespace
"""


class Backdrop:
    """Keeps and puts back the run-time tables of a superuser's connection."""

    def __init__(self, connection: "psycopg.Connection[tuple[object, ...]]", tables: Sequence[str]) -> None:
        self._connection = connection
        self._tables = list(tables)
        self._columns = CopiedColumns(connection)
        self._kept: dict[str, list[str]] = {}
        self._scripts: dict[str, bytes] = {}
        self._times = 0
        self._sequences = {str(row[1]): (str(row[0]), str(row[2])) for row in connection.execute(_SEQUENCES)}

    def has(self, name: str) -> bool:
        return name in self._kept

    def keep(self, name: str) -> None:
        """Copy every run-time table that has rows now."""
        schema = _KEPT + name
        filled = self._filled()
        with self._connection.transaction():
            self._connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
            self._connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
            for table in filled:
                self._connection.execute(
                    sql.SQL("CREATE TABLE {} AS TABLE {}").format(
                        sql.Identifier(schema, table), sql.Identifier("public", table)
                    )
                )
        self._kept[name] = filled
        self._scripts[name] = self._script([*self._deletes(), *self._inserts(name), self._numbers(name)])

    def clear(self) -> None:
        """Empty every run-time table."""
        self._connection.execute(self._script([*self._deletes()]))

    def put_back(self, name: str) -> None:
        """Have exactly the kept rows in the run-time tables, and now and then give back the room that was taken."""
        self._connection.execute(self._scripts[name])
        self._times += 1
        if self._times % _VACUUM_EVERY == 0:
            tables = sql.SQL(", ").join(sql.Identifier("public", table) for table in self._tables)
            self._connection.execute(sql.SQL("VACUUM {}").format(tables))

    def _script(self, statements: Sequence[sql.Composable]) -> bytes:
        """Return one message to the server that does all of it, with triggers off."""
        whole = [
            sql.SQL("BEGIN"),
            sql.SQL("SET LOCAL session_replication_role = replica"),
            *statements,
            sql.SQL("COMMIT"),
        ]
        return sql.SQL("; ").join(whole).as_bytes(self._connection)

    def _deletes(self) -> list[sql.Composable]:
        return [sql.SQL("DELETE FROM {}").format(sql.Identifier("public", table)) for table in self._tables]

    def _inserts(self, name: str) -> list[sql.Composable]:
        return [self._columns.put_back(table, schema=_KEPT + name) for table in self._kept[name]]

    def _numbers(self, name: str) -> sql.Composable:
        """Have each sequence go on after the kept rows, or from 1."""
        parts = []
        for table, (sequence, column) in self._sequences.items():
            if table not in self._tables:
                continue
            last = self._last(name, table, column) if table in self._kept[name] else None
            parts.append(
                sql.SQL("setval({}, {}, {})").format(
                    sql.Literal(f"public.{sequence}"), sql.Literal(last or 1), sql.Literal(last is not None)
                )
            )
        return sql.SQL("SELECT {}").format(sql.SQL(", ").join(parts))

    def _last(self, name: str, table: str, column: str) -> int | None:
        question = sql.SQL("SELECT max({}) FROM {}").format(sql.Identifier(column), sql.Identifier(_KEPT + name, table))
        row = self._connection.execute(question).fetchone()
        return None if row is None or row[0] is None else int(str(row[0]))

    def _filled(self) -> list[str]:
        question = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(name), sql.Identifier("public", name))
            for name in self._tables
        )
        return [str(row[0]) for row in self._connection.execute(question).fetchall()]
