"""Statements of the hot path: sent as they are, in Django's transaction, parsed and planned by the server once a connection."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import InterfaceError, OperationalError, connection


def rows(statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    """Return the rows of a statement that is asked often; its text never varies. None where it returns none.

    Who watches Django's statements (a test, the simulation) sees these too: then they take Django's way.
    """
    if connection.execute_wrappers:
        with connection.cursor() as watched:
            watched.execute(statement, list[Any](parameters))
            return watched.fetchall() if watched.description else []
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters, prepare=True)
        return cursor.fetchall() if cursor.description else []


def first_rows(statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    """Return the rows of a request's first statement, one that changes nothing: its answer shows that the connection is usable.

    Django would ask `SELECT 1` before it. Over a connection that has died it is asked again, over a new one.
    """
    if connection.connection is None or connection.in_atomic_block or connection.health_check_done:  # type: ignore[attr-defined]
        return rows(statement, parameters)
    connection.health_check_done = True  # type: ignore[attr-defined]
    try:
        return rows(statement, parameters)
    except (InterfaceError, OperationalError):
        if connection.is_usable():
            raise
        connection.close()
        return rows(statement, parameters)
