"""Events go in and out though Valkey never ran, and though the database is restarted in the middle of it."""

import json
import os
import signal
import time
import urllib.error
from typing import Any

import psycopg
import pytest

from config.local.processes import read_record
from config.local.programs import record_path
from config.local.stack import LocalStack
from tests.local.test_orders_survive import _json, _submit, _wait
from tests.stacks import local_stack

pytestmark = pytest.mark.processes


def test_events_arrive_and_leave_when_valkey_never_ran_and_the_database_restarts() -> None:
    with local_stack(without=["valkey", "beat"]) as stack:
        _connect_inbox(stack)
        order = _submit(stack, user_reference="magic-pending.alice")  # ends after five seconds, and its event says so
        _wait(stack, order, {"operator_debit_pending"}, seconds=60)
        _until_answered(stack)  # an answer that is lost may be at the cap of its lookups before five seconds are over

        server = read_record(record_path(stack.places, "postgres"))
        assert server is not None
        os.kill(server.pid, signal.SIGINT)  # fast shutdown: every connection is cut, the supervisor starts it again
        _until_restarted(stack, server.pid)

        assert _wait_patiently(stack, order) == "processed"
        state, reason = _inbound(stack)
        assert (state, order in reason) in {("applied", True), ("ignored", True)}
        assert _queued(stack) == 0
        told = _sequences(stack, order)
        assert told == list(range(1, len(told) + 1))
        assert len(told) > 3


def _connect_inbox(stack: LocalStack) -> None:
    """Tell the sandbox's wallet where its events go."""
    told = json.loads(stack.answer_of("inbox_provider", "rotate", "sandbox-wallet-test"))
    url = f"http://127.0.0.1:{stack.ports.sandbox}/admin/inbox"
    body = json.dumps({"url": f"{stack.url}{told['path']}", "secret": told["secret"]}).encode()
    assert _json(url, body=body) == {"done": "inbox"}


def _until_answered(stack: LocalStack) -> None:
    deadline = time.monotonic() + 30
    while not _rows(stack, "SELECT FROM wallets_remoteattempt WHERE outcome <> ''"):
        assert time.monotonic() < deadline, "the wallet's answer was not written down"
        time.sleep(0.05)


def _until_restarted(stack: LocalStack, old: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        record = read_record(record_path(stack.places, "postgres"))
        if record is not None and record.pid != old:
            try:
                with psycopg.connect(stack.superuser_url(), connect_timeout=2):
                    return
            except psycopg.OperationalError:
                pass
        assert time.monotonic() < deadline, "the database did not come back"
        time.sleep(0.1)


def _wait_patiently(stack: LocalStack, order: str) -> str:
    """Wait for the order's end; an answer that does not come while connections are renewed is asked for again."""
    deadline = time.monotonic() + 90
    while True:
        try:
            return _wait(stack, order, {"processed", "failed", "manual_review"}, seconds=5)
        except (urllib.error.URLError, AssertionError, OSError):
            assert time.monotonic() < deadline, "the order did not end"
            time.sleep(0.2)


def _inbound(stack: LocalStack) -> tuple[str, str]:
    deadline = time.monotonic() + 60
    while True:
        rows = _rows(stack, "SELECT state, reason FROM webhooks_inboundevent")
        if rows and rows[0][0] in ("applied", "ignored"):
            assert len(rows) == 1
            return str(rows[0][0]), str(rows[0][1])
        assert time.monotonic() < deadline, rows
        time.sleep(0.2)


def _sequences(stack: LocalStack, order: str) -> list[int]:
    question = (
        "SELECT e.sequence FROM webhooks_feedentry f JOIN ledger_event e ON e.id = f.event_id"
        " WHERE e.aggregate = %s ORDER BY f.position"
    )
    return [row[0] for row in _rows(stack, question, order)]


def _queued(stack: LocalStack) -> int:
    deadline = time.monotonic() + 30
    while True:
        count = int(_rows(stack, "SELECT count(*) FROM ledger_queuedevent")[0][0])
        if count == 0 or time.monotonic() > deadline:
            return count
        time.sleep(0.2)


def _rows(stack: LocalStack, question: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
        return connection.execute(question, list(parameters)).fetchall()
