"""OneWallet's crash table, external channels: the real process is killed at each point, and no payment is lost.

What holds a process at a point, and kills it: `tests/local/killing.py`.
"""

from typing import Any

import psycopg
import pytest

from config.local.stack import LocalStack
from tests.local.killing import answers, gate, idle, in_background, kill, money_of, post, until_somebody_waits, wait_for
from tests.local.payout_stack import body_of, end_of, instruct_sandbox, open_wallet, stack, superuser, times_submitted

__all__ = ["stack", "superuser"]

pytestmark = pytest.mark.processes

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


@pytest.mark.parametrize("point", _WEB_POINTS)
def test_the_client_repeats_its_key_and_funds_are_held_once_when_the_web_is_killed(
    point: str, stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    number = list(_WEB_POINTS).index(point)
    wallet = open_wallet(stack, superuser, f"web{number}")
    table, condition, intents = _WEB_POINTS[point]
    with gate(superuser, table, condition):
        asked = in_background(stack, "/v1/payouts", body_of(wallet), f"pay-web{number}")
        until_somebody_waits(superuser)
        kill(stack, "web")
        wait_for(lambda: not asked.is_alive(), "the client's connection is gone", seconds=90)
    wait_for(lambda: idle(superuser), "the killed one's transaction has ended", seconds=90)
    wait_for(lambda: answers(stack), "the web is back", seconds=240)
    assert money_of(stack, wallet) == ("1000.00", "0.00"), "no funds were moved: safe to retry with the same key"
    counted = superuser.execute("SELECT count(*) FROM orders_intent WHERE payer = %s", [wallet]).fetchone()
    assert counted == (intents,)

    first, again = (post(stack, "/v1/payouts", body_of(wallet), f"pay-web{number}") for _ in range(2))
    assert (first["status"], first["requiresMonitoring"], again) == ("AUTHORIZED", True, first)
    assert end_of(stack, first["intent_id"]) == "SETTLED"
    assert money_of(stack, wallet) == ("887.30", "0.00")
    assert times_submitted(stack, superuser, first["intent_id"]) == 1


def test_the_client_gets_the_first_answer_when_the_web_is_killed_after_the_commit(
    stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    """The funds are held, the saga goes on, and the client knows nothing of it: the same key gives the same result."""
    wallet = open_wallet(stack, superuser, "unheard")
    with gate(superuser, *_BEFORE_ANSWER):
        asked = in_background(stack, "/v1/payouts", body_of(wallet), "pay-unheard")
        until_somebody_waits(superuser)
        kill(stack, "web")
        wait_for(lambda: not asked.is_alive(), "the client's connection is gone", seconds=90)
    wait_for(lambda: idle(superuser), "the killed one's transaction has ended", seconds=90)
    wait_for(lambda: answers(stack), "the web is back", seconds=240)
    ((intent,),) = superuser.execute("SELECT reference FROM orders_intent WHERE payer = %s", [wallet]).fetchall()
    assert end_of(stack, intent) == "SETTLED"

    first, again = (post(stack, "/v1/payouts", body_of(wallet), "pay-unheard") for _ in range(2))
    assert (first["intent_id"], first["status"], first["requiresMonitoring"]) == (intent, "AUTHORIZED", True)
    assert again == first
    question = "SELECT replay FROM wallets_apirequest WHERE idempotency_key = 'pay-unheard' ORDER BY id"
    assert superuser.execute(question).fetchall() == [("first",), ("replay",), ("replay",)]
    assert superuser.execute("SELECT count(*) FROM orders_intent WHERE payer = %s", [wallet]).fetchone() == (1,)
    assert money_of(stack, wallet) == ("887.30", "0.00")
    assert times_submitted(stack, superuser, intent) == 1


@pytest.mark.parametrize("point", _WORKER_POINTS)
def test_others_go_on_and_the_bank_pays_once_when_a_worker_is_killed(
    point: str, stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    number = list(_WORKER_POINTS).index(point)
    wallet = open_wallet(stack, superuser, f"worker{number}")
    with gate(superuser, *_WORKER_POINTS[point]):
        intent = str(post(stack, "/v1/payouts", body_of(wallet), f"pay-worker{number}")["intent_id"])
        until_somebody_waits(superuser)
        for name in ("worker", "relay"):  # whichever of them stands there
            kill(stack, name)
    assert end_of(stack, intent) == "SETTLED"
    assert money_of(stack, wallet) == ("887.30", "0.00")
    assert times_submitted(stack, superuser, intent) == 1


def test_the_bank_pays_once_when_a_worker_is_killed_in_the_middle_of_the_call(
    stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    wallet = open_wallet(stack, superuser, "slow")
    instruct_sandbox(
        stack, "/admin/faults", {"question": "ask", "fault": "timeout-after", "prefix": "pay_", "times": 1}
    )
    intent = str(post(stack, "/v1/payouts", body_of(wallet), "pay-slow")["intent_id"])
    wait_for(lambda: times_submitted(stack, superuser, intent) == 1, "the bank was asked", seconds=180)
    for name in ("worker", "relay"):
        kill(stack, name)
    assert end_of(stack, intent) == "SETTLED"
    assert money_of(stack, wallet) == ("887.30", "0.00")
    assert times_submitted(stack, superuser, intent) == 1


def test_the_status_poller_brings_back_a_stale_authorized_intent(
    stack: LocalStack, superuser: "psycopg.Connection[Any]"
) -> None:
    """External channels: Status Poller detects stale AUTHORIZED intent → inserts outbox_event → OutboxWorker resumes."""
    wallet = open_wallet(stack, superuser, "stale")
    with gate(superuser, "orders_payout", "NEW.state = 'submitting'"):
        intent = str(post(stack, "/v1/payouts", body_of(wallet), "pay-stale")["intent_id"])
        until_somebody_waits(superuser)
        superuser.execute(
            "DELETE FROM orders_sagarun WHERE subject ="
            " (SELECT reference FROM orders_payout WHERE intent_reference = %s)",
            [intent],
        )
        for name in ("worker", "relay"):
            kill(stack, name)
    superuser.execute("SET session_replication_role = replica")
    superuser.execute(
        "UPDATE orders_payout SET updated_at = updated_at - interval '1 hour' WHERE intent_reference = %s", [intent]
    )
    superuser.execute("SET session_replication_role = origin")
    assert end_of(stack, intent, seconds=300) == "SETTLED"
    found = superuser.execute("SELECT count(*) FROM orders_stalefinding WHERE kind = 'payout'").fetchone()
    assert found == (1,)
    assert money_of(stack, wallet) == ("887.30", "0.00")
