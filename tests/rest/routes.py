"""Every route below /v1, read from the URL conf, and for each what one operator's key can do there."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.urls import URLPattern, URLResolver, get_resolver

from ledger.controls import clock
from ledger.controls.rest.views import ApiView, shown_pattern
from tests.rest.calls import QUOTE, WALLET, Answer, Api, transfer
from tests.rest.world import World, payout_body


class Reach(StrEnum):
    """How a route is kept to its operator and environment (rule T1)."""

    ONE = "one"
    """Names a thing in its path or body: another's answers 404."""
    LIST = "list"
    """Shows what is the caller's: another's rows are not in it."""
    OWN = "own"
    """Names nothing that anybody else has."""
    ENVIRONMENT = "environment"
    """Shows what all operators of an environment share: nothing of it with a key of the other."""
    HOUSE = "house"
    """The house's alone: any operator's key answers 403."""


@dataclass(frozen=True, slots=True)
class Route:
    reach: Reach
    call: Callable[[Api, World], Answer]
    status: int = 200
    """What the owner is answered."""


FUNDING: Mapping[str, Any] = {
    "event_type": "OPENING_BALANCE",
    "key": "matrix:funding",
    "amounts": {"amount": {"amount": "10.00", "asset": "EUR"}},
    "accounts": {"world": "@world", "account": "pools:EUR-USDT"},
}

TABLE: Mapping[str, Route] = {
    "GET /v1/capabilities": Route(Reach.OWN, lambda api, world: api.get("/v1/capabilities")),
    "GET /v1/pools": Route(Reach.ENVIRONMENT, lambda api, world: api.get("/v1/pools")),
    "GET /v1/pools/{pool_id}": Route(Reach.ENVIRONMENT, lambda api, world: api.get("/v1/pools/EUR-USDT")),
    "GET /v1/quotes": Route(Reach.LIST, lambda api, world: api.get("/v1/quotes")),
    "POST /v1/quotes": Route(Reach.OWN, lambda api, world: api.post("/v1/quotes", QUOTE), 201),
    "GET /v1/quotes/{quote_id}": Route(Reach.ONE, lambda api, world: api.get(f"/v1/quotes/{world.quote}")),
    "DELETE /v1/quotes/{quote_id}": Route(Reach.ONE, lambda api, world: api.delete(f"/v1/quotes/{world.quote}")),
    "GET /v1/orders": Route(Reach.LIST, lambda api, world: api.get("/v1/orders")),
    "POST /v1/orders": Route(
        Reach.ONE,
        lambda api, world: api.post("/v1/orders", {"quote_id": world.second_quote, "partner_order_id": "p-2"}),
        202,
    ),
    "GET /v1/orders/{order_id}": Route(Reach.ONE, lambda api, world: api.get(f"/v1/orders/{world.order}")),
    "GET /v1/orders/{order_id}/timeline": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/orders/{world.order}/timeline")
    ),
    "GET /v1/orders/{order_id}/trace": Route(Reach.ONE, lambda api, world: api.get(f"/v1/orders/{world.order}/trace")),
    "GET /v1/orders/{order_id}/packet": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/orders/{world.order}/packet")
    ),
    "GET /v1/orders/{order_id}/events": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/orders/{world.order}/events")
    ),
    "GET /v1/operations/{idempotency_key}": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/operations/{world.sent_key}")
    ),
    "GET /v1/events": Route(Reach.LIST, lambda api, world: api.get("/v1/events")),
    "GET /v1/events/{event_id}": Route(Reach.ONE, lambda api, world: api.get(f"/v1/events/{world.event}")),
    "GET /v1/events/{event_id}/deliveries": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/events/{world.event}/deliveries")
    ),
    "GET /v1/event-types": Route(Reach.OWN, lambda api, world: api.get("/v1/event-types")),
    "GET /v1/event-types/{topic}": Route(Reach.OWN, lambda api, world: api.get("/v1/event-types/order.processed")),
    "GET /v1/webhook-endpoints": Route(Reach.LIST, lambda api, world: api.get("/v1/webhook-endpoints")),
    "POST /v1/webhook-endpoints": Route(
        Reach.OWN, lambda api, world: api.post("/v1/webhook-endpoints", {"url": "https://hooks.example.com/b"}), 201
    ),
    "GET /v1/webhook-endpoints/{endpoint_id}": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/webhook-endpoints/{world.endpoint}")
    ),
    "PATCH /v1/webhook-endpoints/{endpoint_id}": Route(
        Reach.ONE, lambda api, world: api.patch(f"/v1/webhook-endpoints/{world.endpoint}", {"description": "x"})
    ),
    "POST /v1/webhook-endpoints/{endpoint_id}/test": Route(
        Reach.ONE, lambda api, world: api.post(f"/v1/webhook-endpoints/{world.endpoint}/test"), 202
    ),
    "GET /v1/webhook-endpoints/{endpoint_id}/deliveries": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/webhook-endpoints/{world.endpoint}/deliveries")
    ),
    "POST /v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/redeliver": Route(
        Reach.ONE,
        lambda api, world: api.post(f"/v1/webhook-endpoints/{world.endpoint}/deliveries/{world.delivery}/redeliver"),
        202,
    ),
    "GET /v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/webhook-endpoints/{world.endpoint}/deliveries/{world.delivery}")
    ),
    "GET /v1/webhook-endpoints/{endpoint_id}/health": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/webhook-endpoints/{world.endpoint}/health")
    ),
    "POST /v1/webhook-endpoints/{endpoint_id}/rotate": Route(
        Reach.ONE, lambda api, world: api.post(f"/v1/webhook-endpoints/{world.endpoint}/rotate")
    ),
    "POST /v1/webhook-endpoints/{endpoint_id}/resend": Route(
        Reach.ONE,
        lambda api, world: api.post(f"/v1/webhook-endpoints/{world.endpoint}/resend", {"first_event_id": world.event}),
        202,
    ),
    "POST /v1/webhook-endpoints/{endpoint_id}/disable": Route(
        Reach.ONE, lambda api, world: api.post(f"/v1/webhook-endpoints/{world.endpoint}/disable")
    ),
    "POST /v1/webhook-endpoints/{endpoint_id}/enable": Route(
        Reach.ONE, lambda api, world: api.post(f"/v1/webhook-endpoints/{world.endpoint}/enable")
    ),
    "GET /v1/pay-ins": Route(Reach.LIST, lambda api, world: api.get("/v1/pay-ins")),
    "GET /v1/pay-ins/{payin_id}": Route(Reach.ONE, lambda api, world: api.get(f"/v1/pay-ins/{world.pay_in}")),
    "GET /v1/accounts": Route(Reach.HOUSE, lambda api, world: api.get("/v1/accounts")),
    "POST /v1/accounts": Route(
        Reach.HOUSE, lambda api, world: api.post("/v1/accounts", {"address": "bank:b1", "asset": "EUR"}), 201
    ),
    "GET /v1/accounts/{address}/balances": Route(
        Reach.HOUSE, lambda api, world: api.get("/v1/accounts/@world/balances")
    ),
    "GET /v1/accounts/{address}/statement": Route(
        Reach.HOUSE, lambda api, world: api.get("/v1/accounts/@world/statement?asset=EUR")
    ),
    "GET /v1/transactions": Route(Reach.HOUSE, lambda api, world: api.get("/v1/transactions")),
    "POST /v1/transactions": Route(Reach.HOUSE, lambda api, world: api.post("/v1/transactions", FUNDING), 201),
    "POST /v1/transactions/bulk": Route(
        Reach.HOUSE, lambda api, world: api.post("/v1/transactions/bulk", {"transactions": [FUNDING]})
    ),
    "GET /v1/transactions/{transaction_id}": Route(
        Reach.HOUSE, lambda api, world: api.get(f"/v1/transactions/{_newest(api)}")
    ),
    "GET /v1/reports/balances": Route(Reach.HOUSE, lambda api, world: api.get("/v1/reports/balances")),
    "GET /v1/reports/trial-balance": Route(Reach.HOUSE, lambda api, world: api.get("/v1/reports/trial-balance")),
    "GET /v1/reports/alm": Route(Reach.HOUSE, lambda api, world: api.get("/v1/reports/alm")),
    "GET /v1/reports/balances.csv": Route(Reach.HOUSE, lambda api, world: api.get("/v1/reports/balances.csv")),
    "GET /v1/reports/trial-balance.csv": Route(
        Reach.HOUSE, lambda api, world: api.get("/v1/reports/trial-balance.csv")
    ),
    "GET /v1/reports/alm.csv": Route(Reach.HOUSE, lambda api, world: api.get("/v1/reports/alm.csv")),
    "GET /v1/reports/statements/{address}/csv": Route(
        Reach.HOUSE, lambda api, world: api.get("/v1/reports/statements/@world/csv?asset=EUR")
    ),
    "GET /v1/reports/statements/{address}": Route(
        Reach.HOUSE, lambda api, world: api.get("/v1/reports/statements/@world?asset=EUR")
    ),
    "GET /v1/payouts": Route(Reach.LIST, lambda api, world: api.get("/v1/payouts")),
    "POST /v1/payouts": Route(Reach.ONE, lambda api, world: api.post("/v1/payouts", payout_body(world.merchant)), 202),
    "GET /v1/payouts/{intent_id}": Route(Reach.ONE, lambda api, world: api.get(f"/v1/payouts/{world.payout}")),
    "POST /v1/payouts/{intent_id}/confirm": Route(
        Reach.ONE, lambda api, world: api.post(f"/v1/payouts/{world.payout}/confirm"), 202
    ),
    "POST /v1/payouts/{intent_id}/cancel": Route(
        Reach.ONE, lambda api, world: api.post(f"/v1/payouts/{world.second_payout}/cancel")
    ),
    "GET /v1/wallets": Route(Reach.LIST, lambda api, world: api.get("/v1/wallets")),
    "POST /v1/wallets": Route(
        Reach.OWN, lambda api, world: api.post("/v1/wallets", {**WALLET, "user_reference": "somebody"}), 201
    ),
    "GET /v1/wallets/{wallet_id}": Route(Reach.ONE, lambda api, world: api.get(f"/v1/wallets/{world.wallet}")),
    "GET /v1/wallets/{wallet_id}/balances": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/wallets/{world.wallet}/balances")
    ),
    "GET /v1/wallets/{wallet_id}/history": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/wallets/{world.wallet}/history")
    ),
    "POST /v1/wallets/{wallet_id}/close": Route(
        Reach.ONE, lambda api, world: api.post(f"/v1/wallets/{world.wallet}/close")
    ),
    "POST /v1/wallets/{wallet_id}/freeze": Route(
        Reach.ONE, lambda api, world: api.post(f"/v1/wallets/{world.payee}/freeze", {"reason": "lost card"})
    ),
    "POST /v1/wallets/{wallet_id}/lift-freeze": Route(Reach.ONE, lambda api, world: _lifted(api, world.payee)),
    "POST /v1/transfers": Route(
        Reach.ONE, lambda api, world: api.post("/v1/transfers", transfer(world.payer, world.payee)), 201
    ),
    "POST /v1/transfers/bulk": Route(
        Reach.OWN,  # a foreign wallet is one member's refusal: tests/rest/test_transfers.py
        lambda api, world: api.post("/v1/transfers/bulk", {"transfers": [transfer(world.payer, world.payee)]}),
    ),
    "DELETE /v1/transfers/{intent_id}": Route(
        Reach.ONE, lambda api, world: api.delete(f"/v1/transfers/{world.scheduled}")
    ),
    "GET /v1/intents": Route(Reach.LIST, lambda api, world: api.get("/v1/intents")),
    "GET /v1/intents/{intent_id}": Route(Reach.ONE, lambda api, world: api.get(f"/v1/intents/{world.transfer}")),
    "GET /v1/intents/{intent_id}/events": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/intents/{world.transfer}/events")
    ),
    "GET /v1/intents/{intent_id}/trace": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/intents/{world.transfer}/trace")
    ),
    "GET /v1/intents/{intent_id}/packet": Route(
        Reach.ONE, lambda api, world: api.get(f"/v1/intents/{world.transfer}/packet")
    ),
    "GET /v1/holds": Route(Reach.HOUSE, lambda api, world: api.get("/v1/holds")),
    "GET /v1/review-cases": Route(Reach.HOUSE, lambda api, world: api.get("/v1/review-cases")),
    "GET /v1/review-cases/{review_case_id}": Route(
        Reach.HOUSE, lambda api, world: api.get(f"/v1/review-cases/{world.review_case}")
    ),
    "GET /v1/statements": Route(Reach.LIST, lambda api, world: api.get(f"/v1/statements?date={_today()}")),
    "GET /v1/statements/printable": Route(
        Reach.OWN, lambda api, world: api.get(f"/v1/statements/printable?date={_today()}")
    ),
    "GET /v1/statements/lines.csv": Route(
        Reach.OWN, lambda api, world: api.get(f"/v1/statements/lines.csv?date={_today()}")
    ),
    "GET /v1/closes": Route(Reach.HOUSE, lambda api, world: api.get("/v1/closes")),
    "GET /v1/closes/{business_date}": Route(Reach.HOUSE, lambda api, world: api.get("/v1/closes/2026-01-01"), 404),
    "GET /v1/closes/{business_date}/artifacts": Route(
        Reach.HOUSE, lambda api, world: api.get("/v1/closes/2026-01-01/artifacts"), 404
    ),
    "GET /v1/closes/{business_date}/artifacts/{name}": Route(
        Reach.HOUSE, lambda api, world: api.get("/v1/closes/2026-01-01/artifacts/orders.csv"), 404
    ),
    "GET /v1/exceptions": Route(Reach.HOUSE, lambda api, world: api.get("/v1/exceptions")),
    "GET /v1/exceptions/{exception_id}": Route(
        Reach.HOUSE, lambda api, world: api.get("/v1/exceptions/exc_01kad00f8xm3v6y2q4t5n7w9bz"), 404
    ),
}


def _today() -> str:
    return clock.now().date().isoformat()


def _lifted(api: Api, wallet_id: str) -> Answer:
    api.post(f"/v1/wallets/{wallet_id}/freeze", {"reason": "lost card"})
    return api.post(f"/v1/wallets/{wallet_id}/lift-freeze")


def _newest(api: Api) -> str:
    """Return the newest transaction's id, as far as the key may see one."""
    answer = api.get("/v1/transactions?limit=1")
    return str(answer.json["data"][0]["transaction_id"]) if answer.status == 200 else str(UUID(int=1))


def declared() -> Iterator[tuple[str, type[ApiView]]]:
    """Return "METHOD /v1/pattern" and view of every route below /v1 but the document and its page."""
    for path, pattern in _patterns(get_resolver().url_patterns, ""):
        view = getattr(pattern.callback, "cls", None)
        if path.startswith("/v1/") and isinstance(view, type) and issubclass(view, ApiView):
            for method in ("get", "post", "put", "patch", "delete"):
                if hasattr(view, method):
                    yield f"{method.upper()} {path}", view


def paths() -> set[str]:
    """Return every pattern below /v1, whatever serves it."""
    return {path for path, _ in _patterns(get_resolver().url_patterns, "") if path.startswith("/v1/")}


def _patterns(found: list[URLPattern | URLResolver], before: str) -> Iterator[tuple[str, URLPattern]]:
    for entry in found:
        here = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _patterns(entry.url_patterns, here)
        else:
            yield shown_pattern(here), entry
