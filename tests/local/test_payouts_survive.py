"""OneWallet's crash table, external channels: the real process is killed at each point, and no payment is lost.

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
from decimal import Decimal
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
CREATE FUNCTION wait_at_payout_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(98); RETURN NEW; END $$;
CREATE TRIGGER payout_gate BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({condition})
EXECUTE FUNCTION wait_at_payout_gate();
"""
_WEB_POINTS = {
    "Before TB pending: the anchor is not committed": ("orders_intent", "NEW.state = 'created'", 0),
    "Before TB pending: the recipient is known": ("orders_intent", "NEW.state = 'validated'", 1),
    "After TB pending, before PG commit": ("orders_walletentry", "NEW.kind = 'payout_hold'", 1),
}
"""Where the web dies, and how many intents stand then: with the book in PostgreSQL the hold and its row are one commit."""
_BEFORE_ANSWER = ("wallets_apirequest", "NEW.idempotency_key = 'pay-unheard'")
"""The request log's row is written when all is committed, and before the answer goes out."""
_WORKER_POINTS = {
    "the saga has not taken it up": ("orders_payout", "NEW.state = 'submitting'"),
    "After PG commit, before TB post: before the submission": ("wallets_remoteoperation", "NEW.state = 'asked'"),
    "the answer is not written down": ("wallets_remoteattempt", "NEW.kind = 'ask'"),
    "After PG commit, before TB post: confirmed, not settled": ("orders_intent", "NEW.state = 'settled'"),
    "After TB post, before PG SETTLED": ("orders_walletentry", "NEW.kind = 'payout'"),
}


_BANK_POINTS = {
    "submit: its answer is not written down": [("wallets_remoteattempt", "NEW.kind = 'ask'")],
    "pending: it does not wait yet; status: the lookup's answer is not written down": [
        ("orders_payout", "NEW.state = 'waiting'"),
        ("wallets_remoteattempt", "NEW.kind = 'lookup'"),
    ],
    "webhook: the bank's event is being judged": [("webhooks_inboundevent", "NEW.state = 'applied'")],
}
"""A bank transfer is taken on, settles seconds later, and is told by an event: nothing but that makes us look in this hour."""


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


@pytest.mark.parametrize("point", _WEB_POINTS)
def test_the_client_repeats_its_key_and_funds_are_held_once_when_the_web_is_killed(
    point: str, stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    number = list(_WEB_POINTS).index(point)
    wallet = _wallet(stack, superuser, f"web{number}")
    table, condition, intents = _WEB_POINTS[point]
    with _gate(superuser, table, condition):
        asked = _in_background(stack, _body(wallet), f"pay-web{number}")
        _until_somebody_waits(superuser)
        _kill(stack, "web")
        _wait_for(lambda: not asked.is_alive(), "the client's connection is gone", seconds=90)
    _wait_for(lambda: _idle(superuser), "the killed one's transaction has ended", seconds=90)
    _wait_for(lambda: _answers(stack), "the web is back", seconds=240)
    assert _money(stack, wallet) == ("1000.00", "0.00"), "no funds were moved: safe to retry with the same key"
    counted = superuser.execute("SELECT count(*) FROM orders_intent WHERE payer = %s", [wallet]).fetchone()
    assert counted == (intents,)

    first, again = (_post(stack, "/v1/payouts", _body(wallet), f"pay-web{number}") for _ in range(2))
    assert (first["status"], first["requiresMonitoring"], again) == ("AUTHORIZED", True, first)
    assert _ended(stack, first["intent_id"]) == "SETTLED"
    assert _money(stack, wallet) == ("887.30", "0.00")
    assert _submitted(stack, superuser, first["intent_id"]) == 1


def test_the_client_gets_the_first_answer_when_the_web_is_killed_after_the_commit(
    stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    """The funds are held, the saga goes on, and the client knows nothing of it: the same key gives the same result."""
    wallet = _wallet(stack, superuser, "unheard")
    with _gate(superuser, *_BEFORE_ANSWER):
        asked = _in_background(stack, _body(wallet), "pay-unheard")
        _until_somebody_waits(superuser)
        _kill(stack, "web")
        _wait_for(lambda: not asked.is_alive(), "the client's connection is gone", seconds=90)
    _wait_for(lambda: _idle(superuser), "the killed one's transaction has ended", seconds=90)
    _wait_for(lambda: _answers(stack), "the web is back", seconds=240)
    ((intent,),) = superuser.execute("SELECT reference FROM orders_intent WHERE payer = %s", [wallet]).fetchall()
    assert _ended(stack, intent) == "SETTLED"

    first, again = (_post(stack, "/v1/payouts", _body(wallet), "pay-unheard") for _ in range(2))
    assert (first["intent_id"], first["status"], first["requiresMonitoring"]) == (intent, "AUTHORIZED", True)
    assert again == first
    question = "SELECT replay FROM wallets_apirequest WHERE idempotency_key = 'pay-unheard' ORDER BY id"
    assert superuser.execute(question).fetchall() == [("first",), ("replay",), ("replay",)]
    assert superuser.execute("SELECT count(*) FROM orders_intent WHERE payer = %s", [wallet]).fetchone() == (1,)
    assert _money(stack, wallet) == ("887.30", "0.00")
    assert _submitted(stack, superuser, intent) == 1


@pytest.mark.parametrize("point", _WORKER_POINTS)
def test_others_go_on_and_the_bank_pays_once_when_a_worker_is_killed(
    point: str, stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    number = list(_WORKER_POINTS).index(point)
    wallet = _wallet(stack, superuser, f"worker{number}")
    with _gate(superuser, *_WORKER_POINTS[point]):
        intent = str(_post(stack, "/v1/payouts", _body(wallet), f"pay-worker{number}")["intent_id"])
        _until_somebody_waits(superuser)
        for name in ("worker", "relay"):  # whichever of them stands there
            _kill(stack, name)
    assert _ended(stack, intent) == "SETTLED"
    assert _money(stack, wallet) == ("887.30", "0.00")
    assert _submitted(stack, superuser, intent) == 1


def test_the_bank_pays_once_when_a_worker_is_killed_in_the_middle_of_the_call(
    stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    wallet = _wallet(stack, superuser, "slow")
    _sandbox(stack, "/admin/faults", {"question": "ask", "fault": "timeout-after", "prefix": "pay_", "times": 1})
    intent = str(_post(stack, "/v1/payouts", _body(wallet), "pay-slow")["intent_id"])
    _wait_for(lambda: _submitted(stack, superuser, intent) == 1, "the bank was asked", seconds=180)
    for name in ("worker", "relay"):
        _kill(stack, name)
    assert _ended(stack, intent) == "SETTLED"
    assert _money(stack, wallet) == ("887.30", "0.00")
    assert _submitted(stack, superuser, intent) == 1


@pytest.mark.parametrize("points", _BANK_POINTS.values(), ids=_BANK_POINTS)
def test_a_bank_transfer_is_paid_once_when_a_worker_is_killed(
    points: list[tuple[str, str]], stack: LocalStack, superuser: "psycopg.Connection[Any]", telling_bank: None
) -> None:
    name = f"bank{list(_BANK_POINTS.values()).index(points)}"
    wallet = _wallet(stack, superuser, name, asset="EUR")
    recipient = {"bank_code": "KBANK", "account_number": "1234567890", "name": "Somchai J."}
    body = {**_body(wallet), "asset": "EUR", "channel": "bank_transfer", "recipient": recipient}
    made: dict[str, Any] = {}
    for place, point in enumerate(points):
        with _gate(superuser, *point):
            if place == 0:
                made = _post(stack, "/v1/payouts", body, f"pay-{name}")
            _until_somebody_waits(superuser)
            for process in ("worker", "relay"):
                _kill(stack, process)
    assert _ended(stack, made["intent_id"]) == "SETTLED"
    assert _money(stack, wallet) == (str(1000 - Decimal(made["debit"])), "0.00")
    assert _submitted(stack, superuser, made["intent_id"]) == 1
    left = "SELECT count(*) FROM webhooks_inboundevent WHERE state NOT IN ('applied', 'ignored')"
    _wait_for(lambda: superuser.execute(left).fetchone() == (0,), "each event of the bank is judged", seconds=90)


@pytest.fixture(scope="module")
def telling_bank(stack: LocalStack, superuser: "psycopg.Connection[Any]") -> None:
    """Have the bank send its events to our inbox, and let nothing else make us look soon."""
    code = "house-bank_transfer-test"
    secret = json.loads(stack.answer_of("inbox_provider", "rotate", code))["secret"]
    _sandbox(stack, "/admin/bank-inbox", {"url": f"{stack.url}/v1/inbox/{code}", "secret": secret})
    superuser.execute(
        "UPDATE wallets_gateway SET time_limit_ms = 5000, pending_backoff_ms = 3600000 WHERE channel = 'bank_transfer'"
    )


def test_the_status_poller_brings_back_a_stale_authorized_intent(
    stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    """External channels: Status Poller detects stale AUTHORIZED intent → inserts outbox_event → OutboxWorker resumes."""
    wallet = _wallet(stack, superuser, "stale")
    with _gate(superuser, "orders_payout", "NEW.state = 'submitting'"):
        intent = str(_post(stack, "/v1/payouts", _body(wallet), "pay-stale")["intent_id"])
        _until_somebody_waits(superuser)
        superuser.execute(
            "DELETE FROM orders_sagarun WHERE subject ="
            " (SELECT reference FROM orders_payout WHERE intent_reference = %s)",
            [intent],
        )
        for name in ("worker", "relay"):
            _kill(stack, name)
    superuser.execute("SET session_replication_role = replica")
    superuser.execute(
        "UPDATE orders_payout SET updated_at = updated_at - interval '1 hour' WHERE intent_reference = %s", [intent]
    )
    superuser.execute("SET session_replication_role = origin")
    assert _ended(stack, intent, seconds=300) == "SETTLED"
    found = superuser.execute("SELECT count(*) FROM orders_stalefinding WHERE kind = 'payout'").fetchone()
    assert found == (1,)
    assert _money(stack, wallet) == ("887.30", "0.00")


def test_it_settles_though_there_is_no_valkey_at_all() -> None:
    with local_stack(without=["valkey", "beat"]) as stack:
        with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
            connection.execute("UPDATE wallets_gateway SET time_limit_ms = 20000 WHERE channel <> 'wallet'")
            wallet = _wallet(stack, connection, "alone")
        began = time.monotonic()
        intent = str(_post(stack, "/v1/payouts", _body(wallet), "pay-alone")["intent_id"])
        assert _ended(stack, intent) == "SETTLED"
        assert time.monotonic() - began < 60, "slower, not stuck"


def _body(wallet: str) -> dict[str, object]:
    return {
        "payer_wallet_id": wallet,
        "asset": "THB",
        "amount": "100.00",
        "channel": "promptpay",
        "recipient": {"proxy_type": "mobile", "proxy_value": "0812345678"},
    }


@contextmanager
def _gate(superuser: "psycopg.Connection[Any]", table: str, condition: str) -> Iterator[None]:
    """Hold whoever comes to this point until the body has ended; later ones pass."""
    superuser.execute("SELECT pg_advisory_lock(98)")
    superuser.execute(_GATE.format(table=table, condition=condition))
    try:
        yield
    finally:
        superuser.execute("SELECT pg_advisory_unlock(98)")
        superuser.execute(f"DROP TRIGGER payout_gate ON {table}")
        superuser.execute("DROP FUNCTION wait_at_payout_gate()")


def _until_somebody_waits(superuser: "psycopg.Connection[Any]") -> None:
    question = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 98 AND NOT granted"
    _wait_for(lambda: superuser.execute(question).fetchone() == (True,), "somebody stands at the gate", seconds=180)


def _idle(superuser: "psycopg.Connection[Any]") -> bool:
    question = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 98"
    return superuser.execute(question).fetchone() == (0,)


def _kill(stack: LocalStack, name: str) -> None:
    """Kill a process of the stack and what it has started, hard."""
    record = read_record(record_path(stack.places, name))
    assert record is not None
    for pid in [record.pid, *_children(record.pid)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _wait_for(lambda: not record.is_running(), f"{name} is gone", seconds=90)


def _children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return [*found, *(pid for child in found for pid in _children(child))]


def _wallet(stack: LocalStack, superuser: "psycopg.Connection[Any]", name: str, *, asset: str = "THB") -> str:
    """Open a merchant's wallet with 1,000.00 in it."""
    asked: dict[str, object] = {"kind": "merchant", "user_reference": f"payout-{name}", "assets": [asset]}
    wallet = str(_post(stack, "/v1/wallets", asked, f"wallet-payout-{name}")["wallet_id"])
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


def _money(stack: LocalStack, wallet: str) -> tuple[str, str]:
    """Return what a wallet may spend, and what is held of it."""
    (told,) = _json(stack, f"/v1/wallets/{wallet}/balances")["data"]
    return str(told["available"]), str(told["held"])


def _submitted(stack: LocalStack, superuser: "psycopg.Connection[Any]", intent: str) -> int:
    """Count what the sandbox's bank was asked to pay for an intent: its log is the truth."""
    (payout,) = superuser.execute(
        "SELECT reference FROM orders_payout WHERE intent_reference = %s", [intent]
    ).fetchone() or ("none",)
    url = f"http://127.0.0.1:{stack.ports.sandbox}/inspect/requests?prefix={payout}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        rows = json.loads(answer.read())["requests"]
    return sum(row["method"] == "POST" for row in rows)


def _sandbox(stack: LocalStack, path: str, body: dict[str, object]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.ports.sandbox}{path}", data=json.dumps(body).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def _ended(stack: LocalStack, intent: str, *, seconds: float = 240) -> str:
    def terminal() -> bool:
        try:
            return bool(_json(stack, f"/v1/payouts/{intent}")["terminal"])
        except (OSError, urllib.error.URLError):
            return False

    _wait_for(terminal, "the payout has ended", seconds=seconds)
    return str(_json(stack, f"/v1/payouts/{intent}")["status"])


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


def _in_background(stack: LocalStack, body: dict[str, object], key: str) -> threading.Thread:
    def ask() -> None:
        with suppress(OSError, HTTPException):
            _post(stack, "/v1/payouts", body, key)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


def _post(stack: LocalStack, path: str, body: dict[str, object], key: str) -> dict[str, Any]:
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
