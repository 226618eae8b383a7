"""OneWallet's crash table, internal channels: the real process is killed at each point, and no payment is lost.

A gate in the database holds a process at the point: a trigger that waits for a lock which the test holds. Then it is killed.
"""

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.local.processes import read_record
from config.local.programs import record_path
from config.local.stack import LocalStack
from tests.stacks import local_stack

pytestmark = pytest.mark.processes

_LEASE = 4
_GATE = """
CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(99); RETURN NEW; END $$;
CREATE TRIGGER gate BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION wait_at_gate();
"""
_POINTS = {
    "Before TB pending": ("orders_intent", "NEW.state = 'authorized'"),
    "After TB pending, before PG commit": ("orders_walletentry", "NEW.kind = 'transfer_hold'"),
    "After PG commit, before TB post": ("orders_intent", "NEW.state = 'settled'"),
    "After TB post, before PG SETTLED": ("orders_walletentry", "NEW.kind = 'transfer_in'"),
}
_INSTANT = {
    "Before TB pending": ("ledger_key", "NEW.key LIKE 'int_%:hold'"),
    "After TB pending, before PG commit": ("orders_intent", "NEW.state = 'created'"),
    "After TB post, before PG SETTLED": ("orders_walletentry", "NEW.kind = 'transfer_in'"),
}

_BEFORE_ANSWER = ("wallets_apirequest", "NEW.idempotency_key = 'instant-unheard'")
"""The request log's row is written when all is committed, and before the answer goes out."""


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with local_stack(without=["relay"], settings={"SAGA_LEASE": str(_LEASE)}) as running:
        yield running


@pytest.fixture(scope="module")
def superuser(stack: LocalStack) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("point", _INSTANT)
def test_the_client_repeats_its_key_and_money_moves_once_when_the_web_is_killed(
    point: str, stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    """An instant transfer is one commit: wherever it dies before it, nothing was left behind."""
    payer, payee = _wallets(stack, superuser, f"web{list(_INSTANT).index(point)}")
    body = {"payer_wallet_id": payer, "payee_wallet_id": payee, "asset": "EUR", "amount": "100.00"}
    key = f"instant-{list(_INSTANT).index(point)}"
    with _gate(superuser, *_INSTANT[point]):
        asked = _in_background(stack, body, key)
        _until_somebody_waits(superuser)
        _kill(stack, "web")
        _wait_for(lambda: not asked.is_alive(), "the client's connection is gone", seconds=30)
    _wait_for(lambda: _idle(superuser), "the killed one's transaction has ended", seconds=30)
    _wait_for(lambda: _answers(stack), "the web is back", seconds=60)
    assert _available(stack, payer) == ("1000.00", "0.00"), "no funds were moved"
    assert superuser.execute("SELECT count(*) FROM orders_intent WHERE payer = %s", [payer]).fetchone() == (0,)

    first, again = (_post(stack, "/v1/transfers", body, key) for _ in range(2))
    assert (first["status"], first["requiresMonitoring"], again) == ("SETTLED", False, first)
    assert _available(stack, payer) == ("900.00", "0.00")
    assert _available(stack, payee) == ("100.00", "0.00")


def test_the_client_gets_the_first_answer_when_the_web_is_killed_after_the_commit(
    stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    """The transfer is settled, and its client knows nothing of it: the same key gives the same result."""
    payer, payee = _wallets(stack, superuser, "unheard")
    body = {"payer_wallet_id": payer, "payee_wallet_id": payee, "asset": "EUR", "amount": "100.00"}
    with _gate(superuser, *_BEFORE_ANSWER):
        asked = _in_background(stack, body, "instant-unheard")
        _until_somebody_waits(superuser)
        _kill(stack, "web")
        _wait_for(lambda: not asked.is_alive(), "the client's connection is gone", seconds=30)
    _wait_for(lambda: _idle(superuser), "the killed one's transaction has ended", seconds=30)
    _wait_for(lambda: _answers(stack), "the web is back", seconds=60)
    question = "SELECT reference, state FROM orders_intent WHERE payer = %s"
    ((intent, state),) = superuser.execute(question, [payer]).fetchall()
    assert (state, _available(stack, payer)) == ("settled", ("900.00", "0.00")), "all of it was committed"

    first, again = (_post(stack, "/v1/transfers", body, "instant-unheard") for _ in range(2))
    assert (first["intent_id"], first["status"], first["requiresMonitoring"]) == (intent, "SETTLED", False)
    assert again == first
    question = "SELECT replay FROM wallets_apirequest WHERE idempotency_key = 'instant-unheard' ORDER BY id"
    assert superuser.execute(question).fetchall() == [("first",), ("replay",), ("replay",)]
    assert superuser.execute("SELECT count(*) FROM orders_intent WHERE payer = %s", [payer]).fetchone() == (1,)
    assert _available(stack, payer) == ("900.00", "0.00")
    assert _available(stack, payee) == ("100.00", "0.00")


@pytest.mark.parametrize("point", _POINTS)
def test_the_next_worker_goes_on_and_money_moves_once_when_the_worker_is_killed(
    point: str, stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    payer, payee = _wallets(stack, superuser, f"worker{list(_POINTS).index(point)}")
    with _gate(superuser, *_POINTS[point]):
        intent = _scheduled(stack, payer, payee)
        _until_somebody_waits(superuser)
        _kill(stack, "worker")
    assert _wait_until_ended(stack, intent) == "SETTLED"
    assert _available(stack, payer) == ("900.00", "0.00")
    assert _available(stack, payee) == ("100.00", "0.00")
    kinds = superuser.execute("SELECT kind FROM orders_walletentry WHERE subject = %s ORDER BY id", [intent]).fetchall()
    assert [kind for (kind,) in kinds] == ["transfer_hold", "transfer_out", "transfer_in"]


def test_funds_return_by_themselves_when_the_hold_expires_before_anybody_goes_on(
    stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    payer, payee = _wallets(stack, superuser, "expiry")
    with _gate(superuser, *_POINTS["After PG commit, before TB post"]):
        intent = _scheduled(stack, payer, payee)
        _until_somebody_waits(superuser)
        assert _available(stack, payer) == ("900.00", "100.00"), "the funds are held"
        with superuser.transaction():  # 300 s pass for this hold
            superuser.execute("SET LOCAL session_replication_role = replica")
            superuser.execute(
                "UPDATE ledger_hold SET expires_at = clock_timestamp() - interval '1 second' WHERE transaction_id ="
                " (SELECT id FROM ledger_transaction WHERE key = %s)",
                [f"{intent}:hold"],
            )
        _kill(stack, "worker")
    assert _wait_until_ended(stack, intent) == "FAILED"
    assert _available(stack, payer) == ("1000.00", "0.00")
    assert _available(stack, payee) == ("0.00", "0.00")


@contextmanager
def _gate(superuser: "psycopg.Connection[Any]", table: str, condition: str) -> Iterator[None]:
    """Hold whoever comes to this point until the body has ended; later ones pass."""
    superuser.execute("SELECT pg_advisory_lock(99)")
    superuser.execute(_GATE.format(table=table, condition=condition))
    try:
        yield
    finally:
        superuser.execute("SELECT pg_advisory_unlock(99)")
        superuser.execute(f"DROP TRIGGER gate ON {table}")
        superuser.execute("DROP FUNCTION wait_at_gate()")


def _until_somebody_waits(superuser: "psycopg.Connection[Any]") -> None:
    question = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 99 AND NOT granted"
    _wait_for(lambda: superuser.execute(question).fetchone() == (1,), "somebody stands at the gate", seconds=60)


def _idle(superuser: "psycopg.Connection[Any]") -> bool:
    question = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 99"
    return superuser.execute(question).fetchone() == (0,)


def _kill(stack: LocalStack, name: str) -> None:
    """Kill a process of the stack and what it has started, hard."""
    record = read_record(record_path(stack.places, name))
    assert record is not None
    family = [record.pid, *_children(record.pid)]
    for pid in family:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _wait_for(lambda: not record.is_running(), f"{name} is gone", seconds=30)


def _children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return [*found, *(pid for child in found for pid in _children(child))]


def _wallets(stack: LocalStack, superuser: "psycopg.Connection[Any]", name: str) -> tuple[str, str]:
    """Open two wallets, with EUR 1,000.00 in the first."""
    payer, payee = (
        str(
            _post(
                stack,
                "/v1/wallets",
                {"kind": "user", "user_reference": f"{name}-{who}", "assets": ["EUR"]},
                f"{name}-{who}",
            )["wallet_id"]
        )
        for who in ("payer", "payee")
    )
    superuser.execute(
        "SELECT ledger_open_accounts((SELECT id FROM ledger_book WHERE environment = 'test')::smallint, '{@world}',"
        " '{EUR}', '{equity}', '{3900}', '{credit}', '{outside}', '{none}')"
    )
    funded = superuser.execute(
        "SELECT code FROM ledger_post((SELECT id FROM ledger_book WHERE environment = 'test')::smallint,"
        " jsonb_build_array(jsonb_build_object('key', 'fund:' || %(payer)s, 'event_type', 'OPENING_BALANCE',"
        " 'phase', 'plain', 'subject', 'test')), '{1}', '{@world}', ARRAY['users:' || %(payer)s || ':available'],"
        " '{EUR}', '{100000}')",
        {"payer": payer},
    ).fetchone()
    assert funded == ("created",)
    return payer, payee


def _scheduled(stack: LocalStack, payer: str, payee: str) -> str:
    due = (datetime.now(UTC) + timedelta(seconds=2)).isoformat().replace("+00:00", "Z")
    body = {
        "payer_wallet_id": payer,
        "payee_wallet_id": payee,
        "asset": "EUR",
        "amount": "100.00",
        "scheduled_for": due,
    }
    told = _post(stack, "/v1/transfers", body, f"scheduled-{payer}")
    assert told["status"] == "CREATED"
    return str(told["intent_id"])


def _wait_until_ended(stack: LocalStack, intent: str) -> str:
    def ended() -> bool:
        return bool(_json(stack, f"/v1/intents/{intent}")["terminal"])

    _wait_for(ended, "the transfer has ended", seconds=90)
    return str(_json(stack, f"/v1/intents/{intent}")["status"])


def _available(stack: LocalStack, wallet: str) -> tuple[str, str]:
    """Return what a wallet may spend, and what is held of it."""
    (told,) = _json(stack, f"/v1/wallets/{wallet}/balances")["data"]
    return str(told["available"]), str(told["held"])


def _wait_for(done: Any, what: str, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)


def _answers(stack: LocalStack) -> bool:
    try:
        return bool(_json(stack, "/v1/capabilities"))
    except (OSError, urllib.error.URLError):
        return False


def _in_background(stack: LocalStack, body: Mapping[str, object], key: str) -> threading.Thread:
    def ask() -> None:
        with suppress(OSError, HTTPException):
            _post(stack, "/v1/transfers", body, key)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


def _post(stack: LocalStack, path: str, body: Mapping[str, object], key: str) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return _json(stack, path, body=json.dumps(body).encode(), headers=headers)


def _json(
    stack: LocalStack, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    authorization = {"Authorization": f"Bearer {stack.kept()['api_key']}"}
    request = urllib.request.Request(f"{stack.url}{path}", data=body, headers={**authorization, **(headers or {})})
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: dict[str, Any] = json.loads(answer.read())
    return content
