"""Outcome markets through REST: shown with their pools, traded and redeemed like any pool, refused without a trace."""

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.money import Money
from orders.operations import open_market, resolve_market
from tests.rest.calls import QUOTE, Answer, ordered, quoted
from tests.rest.conftest import Shop
from tests.rest.tables import fingerprint

YES = {"pool_id": "RAIN-2026-YES", "source_amount": "40.00"}
REDEEM = {"pool_id": "RAIN-2026-YES", "side": "redemption", "source_asset": "YES", "source_amount": "10.00"}


@pytest.fixture
def market(shop: Shop) -> Shop:
    with db_transaction.atomic():
        open_market.open_market(
            environment="test",
            code="RAIN-2026",
            question="Will it rain?",
            funding=Money(100_000, "EUR"),
            minimum_minor=100,
            maximum_minor=50_000,
            actor="user:lead",
            now=clock.now(),
        )
    return shop


def _close() -> None:
    with db_transaction.atomic():
        resolve_market.close_market(
            environment="test", code="RAIN-2026", reason="over", actor="user:lead", now=clock.now()
        )


def _resolve(price_yes: str) -> None:
    _close()
    with db_transaction.atomic():
        resolve_market.propose_outcome(
            environment="test",
            code="RAIN-2026",
            price_yes=price_yes,
            evidence="the weather office",
            actor="user:lead",
            now=clock.now(),
        )
    with db_transaction.atomic():
        resolve_market.approve_outcome(
            environment="test", code="RAIN-2026", reason="checked", actor="user:other", now=clock.now()
        )


def test_pool_of_an_outcome_shows_its_market_and_what_a_share_pays(market: Shop) -> None:
    shown = market.api.get("/v1/pools/RAIN-2026-NO").json
    assert (shown["kind"], shown["position_asset"]) == ("outcome", "NO")
    told = {"code": "RAIN-2026", "question": "Will it rain?", "outcome": "no", "status": "open", "price": None}
    assert shown["market"] == told
    assert market.api.get("/v1/pools/EUR-USDT").json["market"] is None
    _resolve("0.75")
    for code, price in (("YES", "0.750000"), ("NO", "0.250000")):
        found = market.api.get(f"/v1/pools/RAIN-2026-{code}").json["market"]
        assert (found["status"], found["price"]) == ("resolved", price)


def test_a_position_is_bought_and_redeemed(market: Shop) -> None:
    bought = ordered(market.api, **YES)
    drains.drain("sagas")
    assert market.api.get(f"/v1/orders/{bought['order_id']}").json["status"] == "processed"
    _resolve("0.75")
    quote = quoted(market.api, **REDEEM)
    assert (quote["side"], quote["target_amount"], quote["fees"]) == ("redemption", "7.50", [])
    order = ordered(market.api, **REDEEM)
    drains.drain("sagas")
    ended = market.api.get(f"/v1/orders/{order['order_id']}").json
    assert (ended["side"], ended["status"], ended["target_amount"]) == ("redemption", "processed", "7.50")


def test_refusals_of_a_market_change_nothing(market: Shop) -> None:
    kept = quoted(market.api, **YES)["quote_id"]
    before = fingerprint()

    def quote(**changes: object) -> Answer:
        return market.api.post("/v1/quotes", {**QUOTE, **changes})

    def check(answer: Answer, status: int, code: str) -> None:
        assert (answer.status, answer.code) == (status, code), answer.body

    check(quote(**REDEEM), 422, "market_not_resolved")
    check(quote(side="redemption", source_asset="USDT"), 422, "side_not_offered")
    check(quote(**{**YES, "source_asset": "YES"}), 422, "asset_not_accepted")
    check(quote(**{**YES, "source_amount": "0.90"}), 422, "amount_too_small")
    check(quote(**{**YES, "source_amount": "900.00"}), 422, "amount_too_large")
    assert fingerprint() == before
    _close()
    before = fingerprint()
    check(quote(**YES), 422, "market_not_open")
    check(market.api.post("/v1/orders", {"quote_id": kept, "partner_order_id": "late"}), 422, "market_not_open")
    assert fingerprint() == before


def test_a_worthless_position_is_not_redeemed(market: Shop) -> None:
    ordered(market.api, **YES)
    drains.drain("sagas")
    _resolve("0")
    before = fingerprint()
    answer = market.api.post("/v1/quotes", {**QUOTE, **REDEEM})
    assert (answer.status, answer.code) == (422, "worth_nothing")
    assert fingerprint() == before


def test_capabilities_tell_what_a_market_takes_now(market: Shop) -> None:
    def sides() -> dict[str, str | None]:
        pools = {pool["pool_id"]: pool for pool in market.api.get("/v1/capabilities").json["pools"]}
        return {side["side"]: side["code"] for side in pools["RAIN-2026-YES"]["sides"]}

    assert sides() == {"buy": None, "sell": None, "redemption": "market_not_resolved"}
    _resolve("1")
    assert sides() == {"buy": "market_not_open", "sell": "market_not_open", "redemption": None}
