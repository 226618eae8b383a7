"""One `Idempotency-Key`, one effect, one answer (rule I1; DESIGN.md section 11)."""

import json
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Never
from unittest.mock import patch

import psycopg
import pytest
from django.db import connections
from django.db import transaction as db_transaction

from ledger.controls import claims, clock, drains
from ledger.controls.clock import FixedClock
from orders.models import Order
from orders.operations import transfer_now
from tests.orders.wallet import ScriptedWallet
from tests.rest.calls import QUOTE, Answer, quoted, transfer
from tests.rest.conftest import Shop
from tests.rest.tables import fingerprint, rows
from tests.threads import raise_first
from tests.wallets import people
from wallets.limits import LimitExceeded


def test_the_first_answer_is_given_again_when_the_request_is_repeated(shop: Shop) -> None:
    first = shop.api.post("/v1/quotes", QUOTE, key="one", X_Request_Id="req-first")
    before = fingerprint()
    again = shop.api.post("/v1/quotes", QUOTE, key="one", X_Request_Id="req-again")
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["X-Request-Id"] == "req-again"
    assert fingerprint() == before


@pytest.mark.parametrize(
    "path, body",
    [
        ("/v1/quotes", {**QUOTE, "source_amount": "100.01"}),
        ("/v1/orders", {"quote_id": "quo_01kad00f8xm3v6y2q4t5n7w9bz", "partner_order_id": "p"}),
    ],
)
def test_another_request_conflicts_when_its_key_was_used(shop: Shop, path: str, body: object) -> None:
    shop.api.post("/v1/quotes", QUOTE, key="one", X_Request_Id="req-first")
    before = fingerprint()
    answer = shop.api.post(path, body, key="one")
    assert (answer.status, answer.code) == (409, "idempotency_conflict")
    assert answer.json["first_request_id"] == "req-first"
    assert fingerprint() == before


def test_the_bytes_of_the_body_decide_when_a_key_is_repeated(shop: Shop) -> None:
    headers = {"Idempotency-Key": "one"}
    first = shop.api.call("POST", "/v1/quotes", json.dumps(QUOTE).encode(), headers=headers)
    spaced = shop.api.call("POST", "/v1/quotes", json.dumps(QUOTE, indent=1).encode(), headers=headers)
    assert (first.status, spaced.status, spaced.code) == (201, 409, "idempotency_conflict")


@pytest.mark.parametrize("key", ["", " ", "with blank", "a,b", "ü", "x" * 256, "a/b", "a\tb"])
def test_a_key_is_refused_when_it_is_malformed(shop: Shop, key: str) -> None:
    before = fingerprint()
    answer = shop.api.call("POST", "/v1/quotes", json.dumps(QUOTE).encode(), headers={"Idempotency-Key": key})
    expected = "idempotency_key_missing" if not key else "idempotency_key_malformed"
    assert (answer.status, answer.code) == (400, expected)
    assert fingerprint() == before
    assert rows("ledger_claim") == 0


def test_a_key_is_its_operators_alone_when_two_use_the_same(shop: Shop, rival: Shop) -> None:
    mine, theirs = (api.post("/v1/quotes", QUOTE, key="same") for api in (shop.api, rival.api))
    other_key_of_mine = shop.key().post("/v1/quotes", QUOTE, key="same")
    assert (mine.status, theirs.status) == (201, 201)
    assert mine.json["quote_id"] != theirs.json["quote_id"]
    assert other_key_of_mine.body == mine.body


def test_a_refusal_of_the_domain_is_kept_when_it_was_the_first_answer(shop: Shop) -> None:
    quote = quoted(shop.api)
    with clock.use(FixedClock(clock.now() + timedelta(hours=1))):
        body = {"quote_id": quote["quote_id"], "partner_order_id": "late"}
        before = fingerprint()
        first = shop.api.post("/v1/orders", body, key="late", X_Request_Id="req-1")
        again = shop.api.post("/v1/orders", body, key="late", X_Request_Id="req-2")
    assert (first.status, first.code) == (409, "quote_expired")
    assert again.body == first.body
    assert again.headers["Content-Type"] == "application/problem+json"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert fingerprint() == before


def test_what_was_to_follow_the_commit_goes_with_a_refused_effect(shop: Shop) -> None:
    rung: list[str] = []

    def rings(*, caller: object, asked: object, now: datetime) -> Never:
        db_transaction.on_commit(lambda: rung.append("of the refused"))
        raise LimitExceeded

    payer = people.wallet("alice", owner=shop.operator, kind="user", assets=["EUR"])
    payee = people.wallet("bob", owner=shop.operator, kind="user", assets=["EUR"])
    with patch.object(transfer_now, "transfer_now", rings):
        for _ in range(2):
            assert (
                shop.api.post("/v1/transfers", transfer(payer.reference, payee.reference), key="k").code
                == "limit_exceeded"
            )
    assert rung == []


@pytest.mark.parametrize(
    "body, status",
    [
        ({**QUOTE, "source_amount": "1.001"}, 400),
        ({**QUOTE, "colour": "red"}, 400),
        ({**QUOTE, "user_reference": "with blank"}, 400),
    ],
)
def test_a_key_stays_free_when_its_request_was_malformed(shop: Shop, body: object, status: int) -> None:
    assert shop.api.post("/v1/quotes", body, key="one").status == status
    assert rows("ledger_claim") == 0
    assert shop.api.post("/v1/quotes", QUOTE, key="one").status == 201


def test_a_key_stays_free_when_what_it_names_is_not_found(shop: Shop) -> None:
    body = {"quote_id": "quo_01kad00f8xm3v6y2q4t5n7w9bz", "partner_order_id": "p"}
    answer = shop.api.post("/v1/orders", body, key="one")
    assert (answer.status, answer.code, rows("ledger_claim")) == (404, "not_found", 0)


def test_a_key_stays_free_when_we_fail(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_late(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    quote = quoted(shop.api)
    body = {"quote_id": quote["quote_id"], "partner_order_id": "p"}
    before = fingerprint()
    with monkeypatch.context() as patched:
        patched.setattr("orders.views._shown", fail_late)
        answer = shop.api.post("/v1/orders", body, key="one")
    assert (answer.status, answer.code) == (500, "defect")
    assert fingerprint() == before
    assert shop.api.post("/v1/orders", body, key="one").status == 202


def test_nothing_is_kept_when_it_is_a_dry_run(shop: Shop) -> None:
    quote = quoted(shop.api)
    body = {"quote_id": quote["quote_id"], "partner_order_id": "p"}
    before = fingerprint()
    tried = shop.api.post("/v1/orders?dry_run=true", body, key=None)
    assert (tried.status, tried.json["dry_run"], tried.json["status"]) == (200, True, "queued")
    assert shop.api.post("/v1/orders?dry_run=true", body, key="one").status == 200
    refused = shop.api.post("/v1/orders?dry_run=true", {**body, "user_reference": "bob"}, key=None)
    assert refused.status == 400
    assert fingerprint() == before
    assert rows("ledger_claim") == 1
    real = shop.api.post("/v1/orders", body, key="one")
    assert real.status == 202
    assert "dry_run" not in real.json


def test_the_dry_run_refuses_too_when_the_order_would_be(shop: Shop) -> None:
    quote = quoted(shop.api)
    body = {"quote_id": quote["quote_id"], "partner_order_id": "p"}
    assert shop.api.post("/v1/orders", body).status == 202
    again = shop.api.post("/v1/orders?dry_run=true", {**body, "partner_order_id": "q"}, key=None)
    assert (again.status, again.code) == (409, "quote_used")


def test_no_key_is_needed_when_only_a_price_is_asked_for(shop: Shop) -> None:
    before = fingerprint()
    shown = shop.api.post("/v1/quotes", {**QUOTE, "firm": False}, key=None)
    assert (shown.status, shown.json["quote_id"], shown.json["status"]) == (200, None, "indicative")
    assert fingerprint() == before
    firm = shop.api.post("/v1/quotes", QUOTE, key=None)
    assert (firm.status, firm.code) == (400, "idempotency_key_missing")


def test_cancelling_may_carry_a_key_when_it_wants_one_answer(shop: Shop) -> None:
    path = f"/v1/quotes/{quoted(shop.api)['quote_id']}"
    without = shop.api.delete(path)
    first, again = shop.api.delete(path, key="stop"), shop.api.delete(path, key="stop")
    assert (without.status, without.json["status"]) == (200, "cancelled")
    assert first.body == again.body == without.body
    assert again.headers["Idempotent-Replayed"] == "true"


def test_the_caller_is_told_to_wait_when_its_key_is_being_worked_on(
    shop: Shop, application_connection: psycopg.Connection[Any]
) -> None:
    """Somebody else holds the claim in an open transaction for longer than 2 s."""
    before = fingerprint()
    with application_connection.transaction(force_rollback=True):
        application_connection.execute(
            "SELECT take_claim(%s, 'test', 'one', 'x', 'POST /v1/quotes', 'req', NULL)", [shop.operator.pk]
        )
        answer = shop.api.post("/v1/quotes", QUOTE, key="one")
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (409, "in_progress", "1")
    assert fingerprint() == before
    assert shop.api.post("/v1/quotes", QUOTE, key="one").status == 201


def test_the_second_gets_the_first_answer_when_it_came_in_the_middle(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, run_threads: Callable[..., Sequence[Any]]
) -> None:
    """The loser waits for the winner's transaction, and reads its answer with a second statement."""
    inside, finish = threading.Event(), threading.Event()
    keep = claims.answer

    def slow(*arguments: Any, **named: Any) -> None:
        inside.set()
        assert finish.wait(10)
        keep(*arguments, **named)

    def loser() -> Answer:
        assert inside.wait(10)
        threading.Timer(0.3, finish.set).start()
        return shop.api.post("/v1/quotes", QUOTE, key="one")

    monkeypatch.setattr("ledger.controls.rest.idempotency.claims.answer", slow)
    winner, waited = raise_first(run_threads(lambda: shop.api.post("/v1/quotes", QUOTE, key="one"), loser))
    assert winner.status == 201
    assert winner.body == waited.body
    assert "Idempotent-Replayed" in waited.headers
    assert rows("orders_quote") == 1


def test_one_order_and_one_debit_stand_when_fifty_post_one_key_at_once(
    shop: Shop, wallet: ScriptedWallet, run_threads: Callable[..., Sequence[Any]]
) -> None:
    quote = quoted(shop.api)
    body = {"quote_id": quote["quote_id"], "partner_order_id": "fifty"}

    def post() -> Answer:
        for _ in range(60):  # told to wait, a caller asks again
            answer = shop.api.post("/v1/orders", body, key="fifty:accept:v1")
            if answer.status != 409:
                return answer
            assert answer.code == "in_progress"
        raise AssertionError("never answered")

    answers = raise_first(run_threads(*[post] * 50, timeout=120))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.body for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    connections.close_all()
    assert rows("orders_order") == rows("orders_trade") == rows("ledger_hold") == 1
    drains.drain("sagas")
    order = Order.objects.get()
    assert order.state == Order.State.PROCESSED
    assert wallet.calls == [("ask", f"{order.reference}:debit:v1")]
    assert list(wallet.applied) == [f"{order.reference}:debit:v1"]


def test_one_order_stands_when_one_partner_order_id_comes_under_two_keys(shop: Shop) -> None:
    one, two = quoted(shop.api), quoted(shop.api)
    first = shop.api.post("/v1/orders", {"quote_id": one["quote_id"], "partner_order_id": "p"}, key="a")
    second = shop.api.post("/v1/orders", {"quote_id": two["quote_id"], "partner_order_id": "p"}, key="b")
    assert (first.status, second.status, second.code) == (202, 409, "duplicate_partner_order")
    assert second.json["order_id"] == first.json["order_id"]
