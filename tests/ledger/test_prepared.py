"""Statements planned once: who watches sees them, and a connection that died between two requests costs none of them."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db import transaction as db_transaction

from ledger.controls import prepared

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


def test_a_statement_keeps_its_cursor_as_long_as_its_connection() -> None:
    statement = "SELECT %s::text, pg_backend_pid()"
    prepared.rows(statement, ["a"])
    with patch.object(psycopg, "Cursor", side_effect=AssertionError("made anew")):
        ((text, backend),) = prepared.rows(statement, ["b"])
        assert text == "b"
        assert prepared.rows(statement, [None]) == [(None, backend)]
    connection.close()
    ((text, another),) = prepared.rows(statement, [7])
    assert text == "7"
    assert another != backend
