"""Statements planned once: who watches sees them, and a connection that died between two requests costs none of them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
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


def test_a_connection_that_died_between_two_requests_is_made_anew() -> None:
    assert prepared.rows(_ASKED, [1]) == [(2,)]
    ((backend,),) = prepared.rows("SELECT pg_backend_pid()", [])
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    other.close()
    connection.health_check_enabled, connection.health_check_done = True, False  # type: ignore[attr-defined]
    assert prepared.rows(_ASKED, [1]) == [(2,)]
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
