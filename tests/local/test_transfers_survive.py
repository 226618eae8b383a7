"""OneWallet's crash table, internal channels: the real process is killed at each point, and no payment is lost.

What holds a process at a point, and kills it: `tests/local/killing.py`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from config.local.stack import LocalStack
from tests.local.killing import (
    answers,
    ask,
    fund,
    gate,
    idle,
    in_background,
    kill,
    money_of,
    post,
    until_somebody_waits,
    wait_for,
)
from tests.stacks import local_stack

pytestmark = pytest.mark.processes

_LEASE = 4
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
    with gate(superuser, *_INSTANT[point]):
        asked = in_background(stack, "/v1/transfers", body, key)
        until_somebody_waits(superuser)
        kill(stack, "web")
        wait_for(lambda: not asked.is_alive(), "the client's connection is gone", seconds=30)
    wait_for(lambda: idle(superuser), "the killed one's transaction has ended", seconds=30)
    wait_for(lambda: answers(stack), "the web is back", seconds=60)
    assert money_of(stack, payer) == ("1000.00", "0.00"), "no funds were moved"
    assert superuser.execute("SELECT count(*) FROM orders_intent WHERE payer = %s", [payer]).fetchone() == (0,)

    first, again = (post(stack, "/v1/transfers", body, key) for _ in range(2))
    assert (first["status"], first["requiresMonitoring"], again) == ("SETTLED", False, first)
    assert money_of(stack, payer) == ("900.00", "0.00")
    assert money_of(stack, payee) == ("100.00", "0.00")


def test_the_client_gets_the_first_answer_when_the_web_is_killed_after_the_commit(
    stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    """The transfer is settled, and its client knows nothing of it: the same key gives the same result."""
    payer, payee = _wallets(stack, superuser, "unheard")
    body = {"payer_wallet_id": payer, "payee_wallet_id": payee, "asset": "EUR", "amount": "100.00"}
    with gate(superuser, *_BEFORE_ANSWER):
        asked = in_background(stack, "/v1/transfers", body, "instant-unheard")
        until_somebody_waits(superuser)
        kill(stack, "web")
        wait_for(lambda: not asked.is_alive(), "the client's connection is gone", seconds=30)
    wait_for(lambda: idle(superuser), "the killed one's transaction has ended", seconds=30)
    wait_for(lambda: answers(stack), "the web is back", seconds=60)
    question = "SELECT reference, state FROM orders_intent WHERE payer = %s"
    ((intent, state),) = superuser.execute(question, [payer]).fetchall()
    assert (state, money_of(stack, payer)) == ("settled", ("900.00", "0.00")), "all of it was committed"

    first, again = (post(stack, "/v1/transfers", body, "instant-unheard") for _ in range(2))
    assert (first["intent_id"], first["status"], first["requiresMonitoring"]) == (intent, "SETTLED", False)
    assert again == first
    question = "SELECT replay FROM wallets_apirequest WHERE idempotency_key = 'instant-unheard' ORDER BY id"
    assert superuser.execute(question).fetchall() == [("first",), ("replay",), ("replay",)]
    assert superuser.execute("SELECT count(*) FROM orders_intent WHERE payer = %s", [payer]).fetchone() == (1,)
    assert money_of(stack, payer) == ("900.00", "0.00")
    assert money_of(stack, payee) == ("100.00", "0.00")


@pytest.mark.parametrize("point", _POINTS)
def test_the_next_worker_goes_on_and_money_moves_once_when_the_worker_is_killed(
    point: str, stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    payer, payee = _wallets(stack, superuser, f"worker{list(_POINTS).index(point)}")
    with gate(superuser, *_POINTS[point]):
        intent = _scheduled(stack, payer, payee)
        until_somebody_waits(superuser)
        kill(stack, "worker")
    assert _wait_until_ended(stack, intent) == "SETTLED"
    assert money_of(stack, payer) == ("900.00", "0.00")
    assert money_of(stack, payee) == ("100.00", "0.00")
    kinds = superuser.execute("SELECT kind FROM orders_walletentry WHERE subject = %s ORDER BY id", [intent]).fetchall()
    assert [kind for (kind,) in kinds] == ["transfer_hold", "transfer_out", "transfer_in"]


def test_funds_return_by_themselves_when_the_hold_expires_before_anybody_goes_on(
    stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    payer, payee = _wallets(stack, superuser, "expiry")
    with gate(superuser, *_POINTS["After PG commit, before TB post"]):
        intent = _scheduled(stack, payer, payee)
        until_somebody_waits(superuser)
        assert money_of(stack, payer) == ("900.00", "100.00"), "the funds are held"
        with superuser.transaction():  # 300 s pass for this hold
            superuser.execute("SET LOCAL session_replication_role = replica")
            superuser.execute(
                "UPDATE ledger_hold SET expires_at = clock_timestamp() - interval '1 second' WHERE transaction_id ="
                " (SELECT id FROM ledger_transaction WHERE key = %s)",
                [f"{intent}:hold"],
            )
        kill(stack, "worker")
    assert _wait_until_ended(stack, intent) == "FAILED"
    assert money_of(stack, payer) == ("1000.00", "0.00")
    assert money_of(stack, payee) == ("0.00", "0.00")


def _wallets(stack: LocalStack, superuser: "psycopg.Connection[Any]", name: str) -> tuple[str, str]:
    """Open two wallets, with EUR 1,000.00 in the first."""
    payer, payee = (
        str(
            post(
                stack,
                "/v1/wallets",
                {"kind": "user", "user_reference": f"{name}-{who}", "assets": ["EUR"]},
                f"{name}-{who}",
            )["wallet_id"]
        )
        for who in ("payer", "payee")
    )
    fund(superuser, f"users:{payer}:available", "EUR")
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
    told = post(stack, "/v1/transfers", body, f"scheduled-{payer}")
    assert told["status"] == "CREATED"
    return str(told["intent_id"])


def _wait_until_ended(stack: LocalStack, intent: str) -> str:
    def ended() -> bool:
        return bool(ask(stack, f"/v1/intents/{intent}")["terminal"])

    wait_for(ended, "the transfer has ended", seconds=90)
    return str(ask(stack, f"/v1/intents/{intent}")["status"])
