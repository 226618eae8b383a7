"""A bank transfer settles seconds later and is told by an event: paid once when workers are killed; and without Valkey."""

import json
import time
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from config.local.stack import LocalStack
from tests.local.killing import gate, kill, money_of, post, until_somebody_waits, wait_for
from tests.local.payout_stack import body_of, end_of, instruct_sandbox, open_wallet, stack, superuser, times_submitted
from tests.stacks import local_stack

__all__ = ["stack", "superuser"]

pytestmark = pytest.mark.processes

_BANK_POINTS = {
    "submit: its answer is not written down": [("wallets_remoteattempt", "NEW.kind = 'ask'")],
    "pending: it does not wait yet; status: the lookup's answer is not written down": [
        ("orders_payout", "NEW.state = 'waiting'"),
        ("wallets_remoteattempt", "NEW.kind = 'lookup'"),
    ],
    "webhook: the bank's event is being judged": [("webhooks_inboundevent", "NEW.state = 'applied'")],
}
"""A bank transfer is taken on, settles seconds later, and is told by an event: nothing but that makes us look in this hour."""


@pytest.mark.parametrize("points", _BANK_POINTS.values(), ids=_BANK_POINTS)
def test_a_bank_transfer_is_paid_once_when_a_worker_is_killed(
    points: list[tuple[str, str]], stack: LocalStack, superuser: "psycopg.Connection[Any]", telling_bank: None
) -> None:
    name = f"bank{list(_BANK_POINTS.values()).index(points)}"
    wallet = open_wallet(stack, superuser, name, asset="EUR")
    recipient = {"bank_code": "KBANK", "account_number": "1234567890", "name": "Somchai J."}
    body = {**body_of(wallet), "asset": "EUR", "channel": "bank_transfer", "recipient": recipient}
    made: dict[str, Any] = {}
    for place, point in enumerate(points):
        with gate(superuser, *point):
            if place == 0:
                made = post(stack, "/v1/payouts", body, f"pay-{name}")
            until_somebody_waits(superuser)
            for process in ("worker", "relay"):
                kill(stack, process)
    assert end_of(stack, made["intent_id"]) == "SETTLED"
    assert money_of(stack, wallet) == (str(1000 - Decimal(made["debit"])), "0.00")
    assert times_submitted(stack, superuser, made["intent_id"]) == 1
    left = "SELECT count(*) FROM webhooks_inboundevent WHERE state NOT IN ('applied', 'ignored')"
    wait_for(lambda: superuser.execute(left).fetchone() == (0,), "each event of the bank is judged", seconds=90)


@pytest.fixture(scope="module")
def telling_bank(stack: LocalStack, superuser: "psycopg.Connection[Any]") -> None:
    """Have the bank send its events to our inbox, and let nothing else make us look soon."""
    code = "house-bank_transfer-test"
    secret = json.loads(stack.answer_of("inbox_provider", "rotate", code))["secret"]
    instruct_sandbox(stack, "/admin/bank-inbox", {"url": f"{stack.url}/v1/inbox/{code}", "secret": secret})
    superuser.execute(
        "UPDATE wallets_gateway SET time_limit_ms = 5000, pending_backoff_ms = 3600000 WHERE channel = 'bank_transfer'"
    )


def test_it_settles_though_there_is_no_valkey_at_all() -> None:
    with local_stack(without=["valkey", "beat"]) as stack:
        with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
            connection.execute("UPDATE wallets_gateway SET time_limit_ms = 20000 WHERE channel <> 'wallet'")
            wallet = open_wallet(stack, connection, "alone")
        began = time.monotonic()
        intent = str(post(stack, "/v1/payouts", body_of(wallet), "pay-alone")["intent_id"])
        assert end_of(stack, intent) == "SETTLED"
        assert time.monotonic() - began < 60, "slower, not stuck"
