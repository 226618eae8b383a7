"""A stack that pays through the sandbox's banks, and what these are asked."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from config.local.stack import LocalStack
from tests.local.killing import ask, fund, post, wait_for
from tests.stacks import local_stack

_LEASE = 4


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


def open_wallet(stack: LocalStack, superuser: "psycopg.Connection[Any]", name: str, *, asset: str = "THB") -> str:
    """Open a merchant's wallet with 1,000.00 in it."""
    asked: dict[str, object] = {"kind": "merchant", "user_reference": f"payout-{name}", "assets": [asset]}
    wallet = str(post(stack, "/v1/wallets", asked, f"wallet-payout-{name}")["wallet_id"])
    fund(superuser, f"merchants:{wallet}:available", asset)
    return wallet


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
