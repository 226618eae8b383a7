"""How tests stand on the database."""

import psycopg
import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from tests.flush import Flush
from tests.threads import run_threads

pytestmark = pytest.mark.usefixtures("database")


def test_tests_connect_as_the_application() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("holdfast_app",)


@pytest.mark.parametrize(
    "forbidden",
    [
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "TRUNCATE django_session",
        "DROP TABLE django_session",
        "ALTER TABLE django_session ADD COLUMN mine int",
        "SET ROLE holdfast_owner",
        "SET session_replication_role = replica",
    ],
)
def test_application_is_refused_when_it_would_change_the_schema(
    application_connection: psycopg.Connection, forbidden: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application_connection.execute(forbidden)


@pytest.mark.parametrize("_turn", [1, 2])
def test_table_is_empty_when_a_test_begins(_turn: int) -> None:
    assert Session.objects.count() == 0
    Session.objects.create(session_key="kept?", session_data="", expire_date=timezone.now())


def test_reference_rows_are_put_back_when_a_test_changed_them(
    superuser_connection: psycopg.Connection, flush: Flush
) -> None:
    before = superuser_connection.execute("SELECT * FROM django_content_type ORDER BY id").fetchall()
    superuser_connection.execute("UPDATE django_content_type SET model = model || 'x' WHERE id = 1")
    superuser_connection.execute("INSERT INTO django_content_type (app_label, model) VALUES ('a', 'b')")
    flush()
    after = superuser_connection.execute("SELECT * FROM django_content_type ORDER BY id").fetchall()
    assert after == before
    assert before


def test_threads_have_connections_of_their_own() -> None:
    def pid() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])

    assert len(set(run_threads(pid, pid, pid))) == 3


def test_thread_returns_what_it_raised() -> None:
    def fail() -> int:
        raise ZeroDivisionError

    first, second = run_threads(fail, lambda: 5)
    assert isinstance(first, ZeroDivisionError)
    assert second == 5


def test_large_table_is_emptied_too(superuser_connection: psycopg.Connection, flush: Flush) -> None:
    superuser_connection.execute(
        "INSERT INTO django_session SELECT n::text, repeat('x', 1500), now() FROM generate_series(1, 4000) n"
    )
    is_large = "SELECT pg_relation_size('django_session') > 4 * 1024 * 1024"
    assert superuser_connection.execute(is_large).fetchone() == (True,)
    flush()
    assert superuser_connection.execute(is_large).fetchone() == (False,)
    assert Session.objects.count() == 0
