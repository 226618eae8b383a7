"""Statements planned once: who watches sees them, and a connection that died between two requests costs none of them."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, DataError, IntegrityError, OperationalError, connection
from django.db import transaction as db_transaction

from ledger.controls import prepared
from tests.servers import TestServers

pytestmark = pytest.mark.usefixtures("database")

_ASKED = "SELECT %s::integer + 1"


def test_who_watches_sees_them() -> None:
    seen: list[str] = []

    def watch(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        seen.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        assert prepared.rows(_ASKED, [1]) == [(2,)]
    assert seen == [_ASKED]


@pytest.mark.parametrize("ask", [prepared.rows, prepared.first_rows])
def test_a_connection_that_died_between_two_requests_is_made_anew(ask: Callable[..., Any]) -> None:
    assert prepared.rows(_ASKED, [1]) == [(2,)]
    ((backend,),) = prepared.rows("SELECT pg_backend_pid()", [])
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    other.close()
    connection.health_check_enabled, connection.health_check_done = True, False  # type: ignore[attr-defined]
    assert ask(_ASKED, [1]) == [(2,)]
    assert prepared.rows("SELECT pg_backend_pid()", []) != [(backend,)]


def test_a_request_asks_once_whether_its_connection_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    connection.health_check_enabled, connection.health_check_done = True, False  # type: ignore[attr-defined]
    asked: list[str] = []

    def is_usable() -> bool:
        asked.append("SELECT 1")
        return True

    monkeypatch.setattr(connection, "is_usable", is_usable)
    prepared.rows(_ASKED, [1])
    with db_transaction.atomic():
        prepared.rows(_ASKED, [2])
    assert asked == ["SELECT 1"]


def test_a_requests_first_statement_is_itself_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    connection.health_check_enabled, connection.health_check_done = True, False  # type: ignore[attr-defined]
    monkeypatch.setattr(connection, "is_usable", lambda: pytest.fail("asked"))
    assert prepared.first_rows(_ASKED, [1]) == [(2,)]
    assert prepared.rows(_ASKED, [1]) == [(2,)]


def test_a_first_statement_that_fails_over_a_connection_that_answers_is_not_asked_again() -> None:
    ((backend, _),) = prepared.rows("SELECT pg_backend_pid(), set_config('statement_timeout', '50', false)", [])
    connection.health_check_enabled, connection.health_check_done = True, False  # type: ignore[attr-defined]
    with pytest.raises(OperationalError, match="statement timeout"):
        prepared.first_rows("SELECT pg_sleep(%s::float8)", [5])
    prepared.rows("SELECT set_config('statement_timeout', '0', false)", [])
    assert prepared.rows("SELECT pg_backend_pid()", []) == [(backend,)]


def test_a_statement_is_prepared_once_for_its_connection() -> None:
    statement = "SELECT %s::text || '%%', pg_backend_pid()"
    ((text, backend),) = prepared.rows(statement, ["a"])
    with db_transaction.atomic():
        assert prepared.rows(statement, ["b"]) == [("b%", backend)]
        db_transaction.set_rollback(True)  # which has the server forget nothing
    assert prepared.rows(statement, ["c"]) == [("c%", backend)]
    own = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%' || %s || '%%'"
    assert prepared.rows(own, ["|| '%', pg_backend_pid()"]) == [(1,)]
    connection.close()
    ((text, another),) = prepared.rows(statement, ["d"])
    assert text == "d%"
    assert another != backend


def test_two_sessions_over_one_connection_do_not_take_each_others_names() -> None:
    """A test's live server may share its thread's connection."""
    assert prepared.rows(_ASKED, [1]) == [(2,)]
    prepared.forget()
    assert prepared.rows(_ASKED, [2]) == [(3,)]


def test_more_statements_than_are_kept_are_forgotten_and_prepared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.controls.round_trips._MOST_PREPARED", 3)
    connection.close()
    for _ in range(2):
        for number in range(8):
            assert prepared.rows(f"SELECT %s::integer + {number}", [1]) == [(1 + number,)]
    ((kept,),) = prepared.rows("SELECT count(*) FROM pg_prepared_statements", [])
    assert kept <= 3


@pytest.mark.parametrize(
    "kind, value",
    [
        ("bigint", 2**40),
        ("smallint", 3),
        ("numeric", Decimal(10) ** 30 + Decimal("0.5")),
        ("text", "ü'\\\"%"),
        ("boolean", True),
        ("bytea", b"\0\xff"),
        ("date", date(2025, 3, 1)),
        ("timestamptz", datetime(2025, 3, 1, 12, tzinfo=UTC)),
        ("uuid", UUID(int=7)),
        ("text[]", ["a", "", 'b"']),
        ("numeric[]", [Decimal(1), None]),
        ("integer", None),
    ],
)
def test_values_come_back_as_django_reads_them(kind: str, value: Any) -> None:
    statement = f"SELECT %s::{kind}"
    with connection.cursor() as cursor:
        cursor.execute(statement, [value])
        assert cursor.fetchall() == [(value,)]
    assert prepared.rows(statement, [value]) == [(value,)]


def test_a_transaction_begins_with_its_first_statement_and_its_command() -> None:
    with db_transaction.atomic():
        assert prepared.rows(_ASKED, [1], then="SAVEPOINT here") == [(2,)]
        prepared.rows("SELECT set_config('holdfast.tried', 'yes', true)", [])
        connection.savepoint_rollback("here")
        ((tried,),) = prepared.rows("SELECT current_setting('holdfast.tried', true)", [])
        assert not tried


def test_a_statement_that_fails_leaves_its_command_undone_and_its_transaction_broken() -> None:
    with pytest.raises(DataError, match="division by zero"), db_transaction.atomic():
        prepared.last_rows("SELECT 1 / %s::integer", [0])
    with db_transaction.atomic():
        with pytest.raises(DataError):
            prepared.rows("SELECT 1 / %s::integer", [0], then="SAVEPOINT here")
        with pytest.raises(DatabaseError, match="aborted"):
            prepared.unwatched_rows("SELECT 1", [])
        db_transaction.set_rollback(True)
    assert prepared.rows(_ASKED, [1]) == [(2,)]


def test_the_last_statement_commits_where_the_transaction_is_its_own() -> None:
    done: list[str] = []
    with db_transaction.atomic():
        db_transaction.on_commit(lambda: done.append("after"))
        prepared.rows("SELECT set_config('holdfast.tried', 'yes', false)", [])
        ((first,),) = prepared.last_rows("SELECT pg_current_xact_id()::text", [])
        ((second,),) = prepared.unwatched_rows("SELECT pg_current_xact_id()::text", [])
        assert first != second  # committed already
        assert done == []
    assert done == ["after"]
    with db_transaction.atomic(), db_transaction.atomic():
        assert prepared.last_rows(_XACT, []) == prepared.rows(_XACT, [])  # its outer block goes on


def test_a_commit_that_is_refused_is_an_error_and_rings_nothing(servers: TestServers) -> None:
    done: list[str] = []

    def insert_twice() -> None:
        with db_transaction.atomic():
            db_transaction.on_commit(lambda: done.append("after"))
            prepared.last_rows("INSERT INTO tried_deferred VALUES (%s), (%s)", [1, 1])

    with psycopg.connect(servers.url("postgres"), autocommit=True) as owner:
        owner.execute("CREATE TABLE tried_deferred (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        owner.execute("GRANT ALL ON tried_deferred TO PUBLIC")
        try:
            with pytest.raises(IntegrityError):
                insert_twice()
            assert done == []
            assert prepared.rows("SELECT count(*) FROM tried_deferred", []) == [(0,)]
        finally:
            connection.close()
            owner.execute("DROP TABLE tried_deferred")


def test_large_messages_go_both_ways() -> None:
    large = "x" * 8_000_000
    with db_transaction.atomic():
        assert prepared.rows("SELECT %s::text", [large], then="SAVEPOINT here") == [(large,)]


def test_an_interrupted_statement_leaves_no_answer_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared.rows(_ASKED, [1])

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(connection.connection, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepared.rows(_ASKED, [1])
    assert connection.connection.closed
    connection.close()
    assert prepared.rows(_ASKED, [5]) == [(6,)]


_XACT = "SELECT pg_current_xact_id()::text"
