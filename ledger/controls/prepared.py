"""Statements of the hot path: sent as they are, in Django's transaction, parsed and planned by the server once a connection.

Their cursors are kept with the connection: a cursor knows how to write its statement's parameters and read its columns
(decision 0310).
"""

import threading
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import ExecStatus

_MOST_CURSORS: Final = 200
_TUPLES: Final = ExecStatus.TUPLES_OK


class _Kept(threading.local):
    """The cursors of this thread's connection, by statement."""

    def __init__(self) -> None:
        self.connection: psycopg.Connection[Any] | None = None
        self.cursors: dict[str, psycopg.Cursor[tuple[Any, ...]]] = {}


_kept = _Kept()


def rows(statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    """Return the rows of a statement that is asked often; its text never varies. None where it returns none.

    Who watches Django's statements (a test, the simulation) sees these too: then they take Django's way.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.execute_wrappers:
        with database.cursor() as watched:
            watched.execute(statement, list[Any](parameters))
            return watched.fetchall() if watched.description else []
    database.close_if_health_check_failed()
    database.ensure_connection()
    database.validate_no_broken_transaction()
    with database.wrap_database_errors:
        cursor = _cursor(database, statement)
        cursor.execute(statement, parameters, prepare=True)
        found = cursor.pgresult
        return cursor.fetchall() if found is not None and found.status == _TUPLES else []


def first_rows(statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    """Return the rows of a request's first statement, one that changes nothing: its answer shows that the connection is usable.

    Django would ask `SELECT 1` before it. Over a connection that has died it is asked again, over a new one.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.connection is None or database.in_atomic_block or database.health_check_done:  # type: ignore[attr-defined]  # Django's, not in its stubs
        return rows(statement, parameters)
    database.health_check_done = True  # type: ignore[attr-defined]
    try:
        return rows(statement, parameters)
    except (InterfaceError, OperationalError):
        if database.is_usable():
            raise
        database.close()
        return rows(statement, parameters)


def _cursor(database: BaseDatabaseWrapper, statement: str) -> psycopg.Cursor[tuple[Any, ...]]:
    """Return this statement's cursor of the connection, made when there is none."""
    if _kept.connection is not database.connection or len(_kept.cursors) >= _MOST_CURSORS:
        _kept.connection, _kept.cursors = database.connection, {}
    found = _kept.cursors.get(statement)
    if found is None:
        found = _kept.cursors[statement] = psycopg.Cursor(database.connection)
    return found
