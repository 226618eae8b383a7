"""Statements of the hot path: sent as they are, in Django's transaction, parsed and planned by the server once a connection."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection


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
