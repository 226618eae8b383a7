"""Statements of the hot path: sent as they are, in Django's transaction, parsed and planned by the server once a connection."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection


def rows(statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    """Return the rows of a statement that is asked often; its text never varies."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters, prepare=True)
        return cursor.fetchall()
