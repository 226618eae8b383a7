"""Statements that the server parses and plans once per connection: those that every request makes.

They run in Django's transaction. Django's own cursors write the values into the statement, which is planned anew each time.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection


def rows(statement: str, arguments: Sequence[object]) -> list[Any]:
    """Execute a statement and return its rows."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, arguments, prepare=True)
        found = cursor.fetchall() if cursor.description else []
    # It has just answered: Django need not ask it whether it does.
    connection.health_check_done = True  # type: ignore[attr-defined]  # the stubs do not know it
    return found
