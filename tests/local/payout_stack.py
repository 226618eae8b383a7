"""A stack whose processes are killed while they pay: gates that hold them at a point, and what clients and the bank see.

A gate in the database holds a process at the point (a trigger that waits for a lock which the test holds); the sandbox's
bank holds one in the middle of a call. Then it is killed hard.
"""

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.local.processes import read_record
from config.local.programs import record_path
from config.local.stack import LocalStack
from tests.stacks import local_stack

_LEASE = 4
_GATE = """
CREATE FUNCTION wait_at_payout_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(98); RETURN NEW; END $$;
CREATE TRIGGER payout_gate BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({condition})
EXECUTE FUNCTION wait_at_payout_gate();
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with local_stack(settings={"SAGA_LEASE": str(_LEASE)}) as running:
        yield running


@pytest.fixture(scope="module")
def superuser(stack: LocalStack) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
        # A busy machine must not turn the bank's slowness into what is tested here.
        connection.execute("UPDATE wallets_gateway SET time_limit_ms = 20000 WHERE channel <> 'wallet'")
        yield connection


def body_of(wallet: str) -> dict[str, object]:
    return {
        "payer_wallet_id": wallet,
        "asset": "THB",
        "amount": "100.00",
        "channel": "promptpay",
        "recipient": {"proxy_type": "mobile", "proxy_value": "0812345678"},
    }


@contextmanager
def gate(superuser: "psycopg.Connection[Any]", table: str, condition: str) -> Iterator[None]:
    """Hold whoever comes to this point until the body has ended; later ones pass."""
    superuser.execute("SELECT pg_advisory_lock(98)")
    superuser.execute(_GATE.format(table=table, condition=condition))
    try:
        yield
    finally:
        superuser.execute("SELECT pg_advisory_unlock(98)")
        superuser.execute(f"DROP TRIGGER payout_gate ON {table}")
        superuser.execute("DROP FUNCTION wait_at_payout_gate()")


def until_somebody_waits(superuser: "psycopg.Connection[Any]") -> None:
    question = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 98 AND NOT granted"
    wait_for(lambda: superuser.execute(question).fetchone() == (True,), "somebody stands at the gate", seconds=180)


def idle(superuser: "psycopg.Connection[Any]") -> bool:
    question = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 98"
    return superuser.execute(question).fetchone() == (0,)


def kill(stack: LocalStack, name: str) -> None:
    """Kill a process of the stack and what it has started, hard."""
    record = read_record(record_path(stack.places, name))
    assert record is not None
    for pid in [record.pid, *_children(record.pid)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not record.is_running(), f"{name} is gone", seconds=90)


def _children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return [*found, *(pid for child in found for pid in _children(child))]


def open_wallet(stack: LocalStack, superuser: "psycopg.Connection[Any]", name: str, *, asset: str = "THB") -> str:
    """Open a merchant's wallet with 1,000.00 in it."""
    asked: dict[str, object] = {"kind": "merchant", "user_reference": f"payout-{name}", "assets": [asset]}
    wallet = str(post(stack, "/v1/wallets", asked, f"wallet-payout-{name}")["wallet_id"])
    superuser.execute(
        "SELECT ledger_open_accounts((SELECT id FROM ledger_book WHERE environment = 'test')::smallint, '{@world}',"
        " ARRAY[%s], '{equity}', '{3900}', '{credit}', '{outside}', '{none}')",
        [asset],
    )
    funded = superuser.execute(
        "SELECT code FROM ledger_post((SELECT id FROM ledger_book WHERE environment = 'test')::smallint,"
        " jsonb_build_array(jsonb_build_object('key', 'fund:' || %(wallet)s, 'event_type', 'OPENING_BALANCE',"
        " 'phase', 'plain', 'subject', 'test')), '{1}', '{@world}', ARRAY['merchants:' || %(wallet)s || ':available'],"
        " ARRAY[%(asset)s], '{100000}')",
        {"wallet": wallet, "asset": asset},
    ).fetchone()
    assert funded == ("created",)
    return wallet


def money_of(stack: LocalStack, wallet: str) -> tuple[str, str]:
    """Return what a wallet may spend, and what is held of it."""
    (told,) = ask(stack, f"/v1/wallets/{wallet}/balances")["data"]
    return str(told["available"]), str(told["held"])


def times_submitted(stack: LocalStack, superuser: "psycopg.Connection[Any]", intent: str) -> int:
    """Count what the sandbox's bank was asked to pay for an intent: its log is the truth."""
    (payout,) = superuser.execute(
        "SELECT reference FROM orders_payout WHERE intent_reference = %s", [intent]
    ).fetchone() or ("none",)
    url = f"http://127.0.0.1:{stack.ports.sandbox}/inspect/requests?prefix={payout}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        rows = json.loads(answer.read())["requests"]
    return sum(row["method"] == "POST" for row in rows)


def instruct_sandbox(stack: LocalStack, path: str, body: dict[str, object]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.ports.sandbox}{path}", data=json.dumps(body).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def end_of(stack: LocalStack, intent: str, *, seconds: float = 240) -> str:
    def terminal() -> bool:
        try:
            return bool(ask(stack, f"/v1/payouts/{intent}")["terminal"])
        except (OSError, urllib.error.URLError):
            return False

    wait_for(terminal, "the payout has ended", seconds=seconds)
    return str(ask(stack, f"/v1/payouts/{intent}")["status"])


def wait_for(done: Any, what: str, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)


def answers(stack: LocalStack) -> bool:
    try:
        return bool(ask(stack, "/v1/capabilities"))
    except (OSError, urllib.error.URLError):
        return False


def in_background(stack: LocalStack, body: dict[str, object], key: str) -> threading.Thread:
    def in_a_thread() -> None:
        with suppress(OSError, HTTPException):
            post(stack, "/v1/payouts", body, key)

    thread = threading.Thread(target=in_a_thread, daemon=True)
    thread.start()
    return thread


def post(stack: LocalStack, path: str, body: dict[str, object], key: str) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return ask(stack, path, body=json.dumps(body).encode(), headers=headers)


def ask(
    stack: LocalStack, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    authorization = {"Authorization": f"Bearer {stack.kept()['api_key']}"}
    request = urllib.request.Request(f"{stack.url}{path}", data=body, headers={**authorization, **(headers or {})})
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: dict[str, Any] = json.loads(answer.read())
    return content
