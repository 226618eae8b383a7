"""What a key keeps and for how long a second caller waits: the rows that test_idempotency.py does not have."""

import json
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import psycopg
from django.db import connections

from ledger.controls import clock, drains
from ledger.controls.clock import FixedClock
from orders.models import Order
from tests.orders.wallet import ScriptedWallet, lost_after
from tests.rest.calls import QUOTE, Answer, quoted
from tests.rest.conftest import Shop
from tests.rest.tables import fingerprint, rows
from tests.threads import raise_first


def test_an_unknown_pool_is_kept_when_the_pool_was_refused_first(shop: Shop) -> None:
    body = {**QUOTE, "pool_id": "EUR-NOPE"}
    before = fingerprint()
    first = shop.api.post("/v1/quotes", body, key="one", X_Request_Id="r-1")
    again = shop.api.post("/v1/quotes", body, key="one", X_Request_Id="r-2")
    assert (first.status, first.code) == (422, "unknown_pool")
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Content-Type"] == "application/problem+json"
    assert (first.headers.get("Idempotent-Replayed"), again.headers.get("Idempotent-Replayed")) == (None, "true")
    conflict = shop.api.post("/v1/quotes", QUOTE, key="one")
    assert (conflict.status, conflict.code) == (409, "idempotency_conflict")
    assert fingerprint() == before


def test_an_order_is_replayed_as_it_was_when_it_has_moved_on(shop: Shop) -> None:
    """The replay is the first answer's bytes, not the order of today; the saga is not driven a second time."""
    body = {"quote_id": quoted(shop.api)["quote_id"], "partner_order_id": "p"}
    first = shop.api.post("/v1/orders", body, key="one")
    drains.drain("sagas")
    before = fingerprint()
    again = shop.api.post("/v1/orders", body, key="one")
    assert (first.status, first.json["status"]) == (202, "queued")
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (202, first.body, "true")
    assert again.headers["Location"] == first.headers["Location"]
    assert shop.api.get(f"/v1/orders/{first.json['order_id']}").json["status"] == "processed"
    assert fingerprint() == before


def test_a_key_stands_for_the_query_too_when_only_the_query_differs(shop: Shop) -> None:
    body = {"quote_id": quoted(shop.api)["quote_id"], "partner_order_id": "p"}
    assert shop.api.post("/v1/orders", body, key="one").status == 202
    before = fingerprint()
    spelled = shop.api.post("/v1/orders?dry_run=false", body, key="one")
    assert (spelled.status, spelled.code) == (409, "idempotency_conflict")
    assert fingerprint() == before


def test_a_caller_waits_two_seconds_and_no_longer_when_its_key_is_held(
    shop: Shop, application_connection: psycopg.Connection[Any]
) -> None:
    quote = quoted(shop.api)["quote_id"]
    body = {"quote_id": quote, "partner_order_id": "p"}
    before = fingerprint()
    with application_connection.transaction(force_rollback=True):
        application_connection.execute(
            "SELECT take_claim(%s, 'test', 'one', 'x', 'POST /v1/orders', 'req', NULL)", [shop.operator.pk]
        )
        began = time.monotonic()
        answer = shop.api.post("/v1/orders", body, key="one")
        took = time.monotonic() - began
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (409, "in_progress", "1")
    assert 1.5 < took < 4
    assert fingerprint() == before
    assert shop.api.post("/v1/orders", body, key="one").status == 202


def test_one_order_and_one_debit_stand_when_fifty_race_and_the_answer_is_lost(
    shop: Shop, wallet: ScriptedWallet, run_threads: Callable[..., Sequence[Any]]
) -> None:
    """Fifty requests at once, then a wallet that applies and times out: it is looked up, not asked again."""
    body = json.dumps({"quote_id": quoted(shop.api)["quote_id"], "partner_order_id": "fifty"}).encode()

    def post() -> Answer:
        for _ in range(60):
            answer = shop.api.call("POST", "/v1/orders", body, headers={"Idempotency-Key": "fifty"})
            if answer.status != 409:
                return answer
            assert (answer.code, answer.headers["Retry-After"]) == ("in_progress", "1")
        raise AssertionError("never answered")

    answers = raise_first(run_threads(*[post] * 50, timeout=60))
    connections.close_all()
    assert {(answer.status, answer.body) for answer in answers} == {(202, answers[0].body)}
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers].count(None) == 1
    assert rows("orders_order") == rows("orders_sagarun") == rows("orders_trade") == 1

    wallet.script = [lost_after, None]
    with clock.use(FixedClock(clock.now())) as fixed:
        assert isinstance(fixed, FixedClock)
        for _ in range(20):
            drains.drain("sagas")
            fixed.move_to(fixed.now() + timedelta(seconds=5))
    order = Order.objects.get()
    assert order.state == Order.State.PROCESSED
    assert ("lookup", f"{order.reference}:debit:v1") in wallet.calls
    asked = [key for kind, key in wallet.calls if kind == "ask"]
    assert asked == list(wallet.applied) == [f"{order.reference}:debit:v1"]
