"""The way of an order through REST, and what each step shows."""

from datetime import timedelta

from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.controls.clock import FixedClock
from orders.models import Pool
from orders.operations.halt_pool import halt_pool
from tests.orders.wallet import ScriptedWallet, declined
from tests.rest.calls import QUOTE, ordered, quoted
from tests.rest.conftest import Shop
from wallets.models import Gateway


def test_terms_are_itemised_when_a_quote_is_asked_for(shop: Shop) -> None:
    """100.00 EUR: 0.20 and 50 basis points, VAT 19 % of the rounded fee; the rest buys."""
    quote = quoted(shop.api)
    assert quote["quote_id"].startswith("quo_")
    assert quote["fees"] == [
        {"name": "platform_fee", "version": 1, "amount": "0.70", "vat": "0.13", "asset": "EUR"},
    ]
    assert (quote["total_fee"], quote["total_vat"], quote["fx"]) == ("0.70", "0.13", None)
    assert (quote["source_amount"], quote["source_asset"]) == ("100.00", "EUR")
    assert quote["target_amount"].partition(".")[2].__len__() == 6
    assert quote["price"].partition(".")[0] == "0"
    assert (quote["status"], quote["firm"], quote["order_id"]) == ("active", True, None)
    assert shop.api.get(f"/v1/quotes/{quote['quote_id']}").json == quote


def test_the_rate_and_its_age_are_shown_when_assets_differ(shop: Shop) -> None:
    fx = quoted(shop.api, pool_id="USD-ETH")["fx"]
    assert fx.pop("as_of").endswith("Z")
    assert fx == {"base_asset": "EUR", "quote_asset": "USD", "rate": "1.085"}


def test_an_order_is_followed_to_its_end_when_all_goes_well(shop: Shop) -> None:
    order = ordered(shop.api, partner_order_id="shop-1", key="shop-1:accept:v1")
    path = f"/v1/orders/{order['order_id']}"
    assert (order["status"], order["terminal"], order["ended_at"]) == ("queued", False, None)
    assert order["transact_id"].startswith("trd_")
    drains.drain("sagas")
    ended = shop.api.get(path).json
    assert (ended["status"], ended["terminal"], ended["status_reason"]) == ("processed", True, None)
    assert ended["transact_id"] == order["transact_id"]
    steps = shop.api.get(f"{path}/timeline").json
    assert [(step["sequence"], step["status"]) for step in steps["data"]] == [
        (1, "queued"),
        (2, "processing"),
        (3, "operator_debit_pending"),
        (4, "operator_debited"),
        (5, "processed"),
    ]
    assert set(steps["data"][0]) == {"sequence", "status", "at"}
    assert list(steps) == ["record", "product_record", "order_id", "data"]
    traced = shop.api.get(f"{path}/trace").json
    assert list(steps["record"].items())[:-1] == list(traced["record"].items())[:-1], "but for the request just made"
    assert list(steps["record"].items())[:4] == [
        ("order_id", "shop-1"),
        ("environment", "test"),
        ("pool_id", "EUR-USDT"),
        ("quote_id", order["quote_id"]),
    ]
    assert list(steps["record"])[4:] == [
        *("trade_id", "idempotency_key", "latest_status", "ledger_ref", "last_event_id", "last_request_id")
    ]
    assert steps["record"]["latest_status"] == "settled"
    assert list(steps["product_record"].items()) == [
        ("product_area", "reconcile-pool-movements"),
        ("partner_reference", "shop-1"),
        ("pool_id", "EUR-USDT"),
        ("quote_id", order["quote_id"]),
        ("transact_id", order["transact_id"]),
        ("status", "settled"),
        ("request_id", traced["product_record"]["request_id"]),
        ("reconciliation_state", "open"),
    ]
    assert shop.api.get("/v1/orders?partner_order_id=shop-1").json["data"] == [ended]
    assert shop.api.get("/v1/orders?status=failed").json == {"data": [], "next": None}
    quote = shop.api.get(f"/v1/quotes/{order['quote_id']}").json
    assert (quote["status"], quote["order_id"]) == ("accepted", order["order_id"])


def test_both_sides_of_a_key_are_told_when_they_are_asked_for(shop: Shop) -> None:
    order = ordered(shop.api, key="shop-1:accept:v1")
    drains.drain("sagas")
    received = shop.api.get("/v1/operations/shop-1:accept:v1").json
    assert (received["sent_by"], received["status"], received["answer_status"]) == ("you", "answered", 202)
    assert received["answer"] == order
    key = f"{order['order_id']}:debit:v1"
    sent = shop.api.get(f"/v1/operations/{key}").json
    assert (sent["sent_by"], sent["status"], sent["leg"]) == ("us", "confirmed", "debit")
    assert (sent["asks"], sent["lookups"], sent["amount"], sent["asset"]) == (1, 0, "100.00", "EUR")
    assert (sent["order_id"], sent["remote_ref"]) == (order["order_id"], f"w-{key}")


def test_a_secret_is_shown_once_when_its_key_is_looked_up_later(shop: Shop) -> None:
    body = {"url": "https://hooks.example.com/a"}
    made = shop.api.post("/v1/webhook-endpoints", body, key="hook")
    looked_up = shop.key(scopes=["read"]).get("/v1/operations/hook")
    assert made.json["secret"].startswith("whsec_")
    assert shop.api.post("/v1/webhook-endpoints", body, key="hook").body == made.body
    assert looked_up.json["answer"]["endpoint_id"] == made.json["endpoint_id"]
    assert b"whsec_" not in looked_up.body


def test_the_reason_is_stable_when_the_wallet_declines(shop: Shop, wallet: ScriptedWallet) -> None:
    wallet.script = [declined]
    order = ordered(shop.api)
    drains.drain("sagas")
    ended = shop.api.get(f"/v1/orders/{order['order_id']}").json
    assert (ended["status"], ended["status_reason"], ended["terminal"]) == ("failed", "debit_declined", True)


def test_a_cancelled_quote_says_so_when_it_is_read(shop: Shop) -> None:
    quote = quoted(shop.api)["quote_id"]
    cancelled = shop.api.delete(f"/v1/quotes/{quote}").json
    assert cancelled["status"] == "cancelled"
    assert shop.api.get("/v1/quotes?status=cancelled").json["data"] == [cancelled]


def test_every_action_is_enabled_when_nothing_is_in_the_way(shop: Shop) -> None:
    told = shop.api.get("/v1/capabilities").json
    assert (told["environment"], told["wallet_asset"]) == ("test", "EUR")
    assert told["operator_id"] == shop.operator.reference
    assert told["scopes"] == ["orders", "payments", "quotes", "read", "wallets", "webhooks"]
    assert {action["action"]: action["enabled"] for action in told["actions"]} == {
        "quote": True,
        "order": True,
        "read": True,
        "manage_webhooks": True,
        "open_wallets": True,
        "pay": True,
    }
    assert {"code": "ETH", "scale": 18} in told["assets"]
    assert [pool["pool_id"] for pool in told["pools"] if pool["enabled"]] == ["EUR-ETH", "EUR-USDT", "USD-ETH"]
    assert shop.api.get("/v1/pools").json["data"][1] == shop.api.get("/v1/pools/EUR-USDT").json


def test_capabilities_say_why_not_when_something_is_in_the_way(shop: Shop) -> None:
    with db_transaction.atomic():
        halt_pool(
            pool=Pool.objects.get(environment="test", code="EUR-USDT"), reason="x", actor="user:o", now=clock.now()
        )
    now = clock.now()
    Gateway.objects.filter(operator=shop.operator).update(paused_until=now + timedelta(hours=3))
    with clock.use(FixedClock(now + timedelta(hours=1))):
        told = shop.key(scopes=["orders"]).get("/v1/capabilities").json
    assert {pool["pool_id"]: pool["code"] for pool in told["pools"]} == {
        "EUR-ETH": None,
        "EUR-USDT": "pool_halted",
        "USD-ETH": "rate_stale",
    }
    assert {action["action"]: action["code"] for action in told["actions"]} == {
        "quote": "scope_missing",
        "order": "wallet_paused",
        "read": "scope_missing",
        "manage_webhooks": "scope_missing",
        "open_wallets": "scope_missing",
        "pay": "scope_missing",
    }
    assert told["actions"][0]["why_not"] == "This key lacks the scope “quotes”."


def test_an_indicative_price_is_that_of_a_firm_quote_when_nothing_happened_between(shop: Shop) -> None:
    shown = shop.api.post("/v1/quotes", {**QUOTE, "firm": False}, key=None).json
    firm = quoted(shop.api)
    assert (shown["target_amount"], shown["price"]) == (firm["target_amount"], firm["price"])
    assert shop.api.get("/v1/quotes").json["data"] == [firm]
