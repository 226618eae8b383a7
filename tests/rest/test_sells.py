"""Sells through REST: what a quote shows, how an order ends, and what is refused without a row more or less."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.controls.clock import FixedClock
from orders.models import Pool
from orders.operations.halt_pool import halt_pool
from tests.orders.wallet import ScriptedWallet, declined
from tests.rest.calls import QUOTE, ordered, quoted
from tests.rest.conftest import Shop
from tests.rest.tables import fingerprint
from wallets import rates

SELL = {"side": "sell", "source_asset": "USDT", "source_amount": "50.00"}


def _holding(shop: Shop) -> None:
    ordered(shop.api)
    drains.drain("sagas")


def test_terms_of_a_sell_are_itemised_in_the_wallets_asset(shop: Shop) -> None:
    quote = quoted(shop.api, **SELL)
    assert (quote["side"], quote["source_asset"], quote["source_amount"]) == ("sell", "USDT", "50.000000")
    assert (quote["target_asset"], quote["fx"]) == ("EUR", None)
    (fee,) = quote["fees"]
    assert (fee["asset"], fee["amount"], fee["vat"]) == ("EUR", quote["total_fee"], quote["total_vat"])
    gross = Decimal(quote["target_amount"]) + Decimal(quote["total_fee"]) + Decimal(quote["total_vat"])
    assert gross == Decimal("46.08")
    assert Decimal(quote["price"]) == gross / 50
    assert shop.api.get(f"/v1/quotes/{quote['quote_id']}").json == quote


def test_rate_of_a_sell_leads_from_the_pools_cash_to_the_wallet(shop: Shop) -> None:
    fx = quoted(shop.api, pool_id="USD-ETH", side="sell", source_asset="ETH", source_amount="0.1")["fx"]
    assert fx.pop("as_of").endswith("Z")
    assert fx == {"base_asset": "USD", "quote_asset": "EUR", "rate": "0.92"}


def test_a_sell_is_followed_to_its_end_when_all_goes_well(shop: Shop) -> None:
    _holding(shop)
    order = ordered(shop.api, partner_order_id="sell-1", **SELL)
    path = f"/v1/orders/{order['order_id']}"
    assert (order["side"], order["status"], order["terminal"]) == ("sell", "queued", False)
    drains.drain("sagas")
    ended = shop.api.get(path).json
    assert (ended["status"], ended["terminal"], ended["status_reason"]) == ("processed", True, None)
    steps = shop.api.get(f"{path}/timeline").json["data"]
    assert [step["status"] for step in steps] == ["queued", "processing", "operator_credit_pending", "processed"]
    told = shop.api.get(f"/v1/operations/{order['order_id']}:credit:v1")
    assert (told.status, "confirmed" in told.body.decode()) == (200, True), told.body


def test_operator_sees_the_reason_and_nothing_of_the_evidence_when_a_credit_is_rejected(
    shop: Shop, wallet: ScriptedWallet
) -> None:
    _holding(shop)
    wallet.legs = {"credit": [declined]}
    order = ordered(shop.api, **SELL)
    drains.drain("sagas")
    shown = shop.api.get(f"/v1/orders/{order['order_id']}").json
    assert (shown["status"], shown["terminal"], shown["status_reason"]) == ("manual_review", False, "credit_rejected")
    assert set(shown) == set(order)


def test_sell_is_refused_and_nothing_changes_when_the_position_holds_less(shop: Shop) -> None:
    _holding(shop)
    quote = quoted(shop.api, **{**SELL, "source_amount": "500.00"})
    before = fingerprint()
    body = {"quote_id": quote["quote_id"], "partner_order_id": "much"}
    for answer in (shop.api.post("/v1/orders?dry_run=true", body, key=None), shop.api.post("/v1/orders", body)):
        assert (answer.status, answer.code) == (422, "position_too_small")
        assert (answer.json["asset"], answer.json["available"][:3]) == ("USDT", "107")
    assert fingerprint() == before
    assert shop.api.get(f"/v1/quotes/{quote['quote_id']}").json["status"] == "active"


@pytest.mark.parametrize(
    ("case", "change", "status", "code"),
    [
        ("the wallet's asset is given", {"source_asset": "EUR"}, 422, "asset_not_accepted"),
        ("an asset that does not exist", {"source_asset": "XXX"}, 422, "asset_not_accepted"),
        ("more decimals than the position has", {"source_amount": "1.0000001"}, 400, "malformed"),
        ("a JSON number", {"source_amount": 50}, 400, "malformed"),
        ("zero", {"source_amount": "0.000000"}, 400, "malformed"),
        ("worth nothing", {"source_amount": "0.000001"}, 422, "amount_too_small"),
        ("worth less than the pool takes", {"source_amount": "1.00"}, 422, "amount_too_small"),
        ("worth more than the pool takes", {"source_amount": "100000.00"}, 422, "amount_too_large"),
        ("more than anybody has", {"source_amount": "9" * 30}, 422, "amount_too_large"),
    ],
)
def test_quote_of_a_sell_is_refused_when_a_field_is_off(
    shop: Shop, case: str, change: dict[str, object], status: int, code: str
) -> None:
    before = fingerprint()
    answer = shop.api.post("/v1/quotes", {**QUOTE, **SELL, **change})
    assert (answer.status, answer.code) == (status, code), answer.body
    assert fingerprint() == before


def test_capabilities_tell_each_side_of_a_pool(shop: Shop) -> None:
    with db_transaction.atomic():
        pool = Pool.objects.get(environment="test", code="EUR-ETH")
        halt_pool(pool=pool, reason="planted", actor="user:olga", now=clock.now())
    pools = {pool["pool_id"]: pool for pool in shop.api.get("/v1/capabilities").json["pools"]}
    assert pools["EUR-USDT"]["sides"] == [
        {"side": side, "enabled": True, "why_not": None, "code": None} for side in ("buy", "sell")
    ]
    assert [side["code"] for side in pools["EUR-ETH"]["sides"]] == ["pool_halted", "pool_halted"]
    assert [side["enabled"] for side in pools["USD-ETH"]["sides"]] == [True, True]
    later = clock.now() + timedelta(seconds=301)
    rates.record(base="EUR", quote="USD", value=Decimal("1.085"), source="t", now=later)
    with clock.use(FixedClock(later)):
        pools = {pool["pool_id"]: pool for pool in shop.api.get("/v1/capabilities").json["pools"]}
        assert [side["code"] for side in pools["USD-ETH"]["sides"]] == [None, "rate_stale"]
