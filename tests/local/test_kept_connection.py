"""Between two tests the connection stays, and is as a new one; a test that leaves it unfit has it closed."""

import psycopg
import pytest
from django.db import connection, transaction

from ledger.controls import prepared
from tests.kept_connection import keep_or_close

pytestmark = pytest.mark.usefixtures("database")


def _one(question: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
    return row and row[0]


def test_next_test_finds_the_same_session_without_what_this_one_left_in_it() -> None:
    session = _one("SELECT pg_backend_pid()")
    for _ in range(2):
        keep_or_close()  # the second time with nothing prepared: it must see the next that have
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 12345")
        cursor.execute("SELECT pg_advisory_lock(71)")
        cursor.execute("LISTEN somebody")
    assert prepared.rows("SELECT 1 + %s", [1]) == [(2,)]
    keep_or_close()
    assert prepared.rows("SELECT 1 + %s", [1]) == [(2,)]
    assert _one("SELECT pg_backend_pid()") == session
    assert _one("SELECT current_setting('statement_timeout')") == "0"
    assert _one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == 0
    assert _one("SELECT count(*) FROM pg_listening_channels()") == 0


@pytest.mark.parametrize("left", ["a transaction", "no autocommit"])
def test_connection_is_closed_when_a_test_leaves_it_in_the_middle(left: str) -> None:
    session = _one("SELECT pg_backend_pid()")
    if left == "a transaction":
        connection.connection.execute("BEGIN")
    else:
        transaction.set_autocommit(False)
    keep_or_close()
    assert connection.connection is None
    assert _one("SELECT pg_backend_pid()") != session


def test_connection_is_closed_when_its_session_was_killed(superuser_connection: psycopg.Connection) -> None:
    superuser_connection.execute("SELECT pg_terminate_backend(%s, 10000)", [_one("SELECT pg_backend_pid()")])
    keep_or_close()
    assert connection.connection is None
    assert _one("SELECT 1") == 1
