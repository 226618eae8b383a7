"""REST of quotes, orders, pools and capabilities. A view translates in, makes one domain call, translates out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger.assets import UnknownAsset
from ledger.controls.moves import IllegalMove
from ledger.controls.refusals import NotFound
from ledger.controls.rest import idempotency, pages
from ledger.controls.rest.answers import answer
from ledger.controls.rest.idempotency import KeyRule
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import Shape, read_body, read_query
from ledger.controls.rest.views import ApiView
from orders import answers, shapes, venue_port
from orders.capabilities import capabilities
from orders.models import Order, Pool, PoolHalt, Quote
from orders.operations import ask_price, cancel_quote, create_quote, submit_order
from wallets.conditions import ConditionFailed
from wallets.gateway_terms import NoGateway
from wallets.rates import NoRate, StaleRate
from webhooks.streams.views import LAST_EVENT_ID, STREAM, EventStreamView


class CapabilitiesView(ApiView):
    scopes = {"GET": None}

    @extend_schema(operation_id="get_capabilities", responses=shapes.Capabilities, tags=["discovery"])
    def get(self, request: Request) -> HttpResponse:
        """What this key can do now. Read it before rendering enabled actions."""
        read_query(request, Shape)
        return answer(capabilities(self.caller))


class PoolsView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="list_pools", responses=shapes.PoolList, tags=["discovery"])
    def get(self, request: Request) -> HttpResponse:
        """Every pool of the key's environment, with its limits."""
        read_query(request, Shape)
        found = list(_pools(self.caller.environment).order_by("code"))
        markets = answers.markets(found)
        data = [answers.pool(row, halted=row.is_halted, market=markets.get(row.market_code)) for row in found]
        return answer({"data": data})


class PoolView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_pool", responses=shapes.PoolAnswer, tags=["discovery"])
    def get(self, request: Request, pool_id: str) -> HttpResponse:
        """One pool, with its limits."""
        read_query(request, Shape)
        row = _pools(self.caller.environment).filter(code=pool_id).first()
        if row is None:
            raise NotFound
        market = answers.markets([row]).get(row.market_code)
        return answer(answers.pool(row, halted=row.is_halted, market=market))


class QuotesView(ApiView):
    scopes = {"GET": Scope.READ, "POST": Scope.QUOTES}
    key_rules = {"POST": KeyRule.FOR_CHANGES}
    refusals = {
        "POST": (
            UnknownAsset,
            create_quote.UnknownPool,
            venue_port.PoolHalted,
            venue_port.PoolUnavailable,
            venue_port.PriceNotOffered,
            venue_port.SideNotOffered,
            venue_port.MarketNotOpen,
            venue_port.MarketNotResolved,
            create_quote.WorthNothing,
            create_quote.AssetNotAccepted,
            create_quote.AmountTooSmall,
            create_quote.AmountTooLarge,
            NoGateway,
            NoRate,
            StaleRate,
            ConditionFailed,
        ),
        "GET": (pages.MalformedCursor,),
    }

    @extend_schema(
        operation_id="list_quotes", parameters=[shapes.QuoteList], responses=shapes.QuotePage, tags=["quotes"]
    )
    def get(self, request: Request) -> HttpResponse:
        """Your quotes, newest first."""
        query = read_query(request, shapes.QuoteList)
        mine = _quotes(self)
        shown = mine.filter(state=query["status"]) if "status" in query else mine
        found, cursor = pages.page(mine=mine, shown=shown, query=query)
        return answer({"data": [answers.quote(row) for row in found], "next": cursor})

    @extend_schema(
        operation_id="create_quote",
        request=shapes.QuoteRequest,
        responses={200: shapes.QuoteAnswer, 201: shapes.QuoteAnswer},
        tags=["quotes"],
    )
    def post(self, request: Request) -> HttpResponse:
        """Ask for terms: firm ones hold until `expires_at`; `"firm": false` shows a price and stores nothing."""
        read_query(request, Shape)
        body = read_body(request, shapes.QuoteRequest)

        def work(now: datetime, offer: venue_port.Offer | None) -> HttpResponse:
            quote = create_quote.create_quote(
                caller=self.caller,
                pool_code=body["pool_id"],
                side=body["side"],
                source_asset=body["source_asset"],
                source_amount=body["source_amount"],
                user_reference=body["user_reference"],
                firm=body["firm"],
                now=now,
                offer=offer,
            )
            if not quote.reference:
                return answer(answers.quote(quote))
            return answer(answers.quote(quote), status=201, headers={"Location": f"/v1/quotes/{quote.reference}"})

        rule = KeyRule.REQUIRED if body["firm"] else KeyRule.OPTIONAL
        return ask_price.with_price(lambda offer: self.once(lambda now: work(now, offer), rule=rule))


class QuoteView(ApiView):
    scopes = {"GET": Scope.READ, "DELETE": Scope.QUOTES}
    key_rules = {"DELETE": KeyRule.OPTIONAL}
    refusals = {"DELETE": (IllegalMove,)}

    @extend_schema(operation_id="get_quote", responses=shapes.QuoteAnswer, tags=["quotes"])
    def get(self, request: Request, quote_id: str) -> HttpResponse:
        """One of your quotes."""
        read_query(request, Shape)
        row = _quotes(self).filter(reference=quote_id).first()
        if row is None:
            raise NotFound
        return answer(answers.quote(row))

    @extend_schema(operation_id="cancel_quote", request=None, responses={200: shapes.QuoteAnswer}, tags=["quotes"])
    def delete(self, request: Request, quote_id: str) -> HttpResponse:
        """Take a quote back before it is accepted. One that was taken back already stays so."""
        read_query(request, Shape)

        def work(now: datetime) -> HttpResponse:
            quote = cancel_quote.cancel_quote(caller=self.caller, quote_reference=quote_id, now=now)
            return answer(answers.quote(quote))

        return self.once(work)


class OrdersView(ApiView):
    scopes = {"GET": Scope.READ, "POST": Scope.ORDERS}
    key_rules = {"POST": KeyRule.FOR_CHANGES}
    refusals = {
        "POST": (
            submit_order.DuplicatePartnerOrder,
            submit_order.QuoteUsed,
            submit_order.QuoteExpired,
            submit_order.QuoteCancelled,
            submit_order.PriceMoved,
            submit_order.TooManyReservations,
            submit_order.PositionTooSmall,
            submit_order.PoolLacksFunds,
            venue_port.PoolHalted,
            venue_port.PoolUnavailable,
            venue_port.MarketNotOpen,
            venue_port.MarketNotResolved,
            NoGateway,
            NotFound,
        ),
        "GET": (pages.MalformedCursor,),
    }

    @extend_schema(
        operation_id="list_orders", parameters=[shapes.OrderList], responses=shapes.OrderPage, tags=["orders"]
    )
    def get(self, request: Request) -> HttpResponse:
        """Your orders, newest first."""
        query = read_query(request, shapes.OrderList)
        mine = _orders(self)
        shown = mine
        if "status" in query:
            shown = shown.filter(state=query["status"])
        if "partner_order_id" in query:
            shown = shown.filter(partner_order_id=query["partner_order_id"])
        found, cursor = pages.page(mine=mine, shown=shown, query=query)
        return answer({"data": _shown(found), "next": cursor})

    @extend_schema(
        operation_id="submit_order",
        request=shapes.OrderRequest,
        parameters=[shapes.OrderQuery],
        responses={200: shapes.OrderAnswer, 202: shapes.OrderAnswer},
        tags=["orders"],
    )
    def post(self, request: Request) -> HttpResponse:
        """Submit an order on a quote's terms. `?dry_run=true` walks the same path and rolls it back (200)."""
        dry_run = read_query(request, shapes.OrderQuery)["dry_run"]
        body = read_body(request, shapes.OrderRequest)

        def work(now: datetime) -> HttpResponse:
            order = submit_order.submit_order(
                caller=self.caller,
                quote_reference=body["quote_id"],
                partner_order_id=body["partner_order_id"],
                user_reference=body["user_reference"],
                idempotency_key=self.note.idempotency_key,
                now=now,
            )
            (shown,) = _shown([order])
            if dry_run:
                return answer({**shown, "dry_run": True})
            return answer(shown, status=202, headers={"Location": f"/v1/orders/{order.reference}"})

        return idempotency.try_out(work) if dry_run else self.once(work, rule=KeyRule.REQUIRED)


class OrderView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_order", responses=shapes.OrderAnswer, tags=["orders"])
    def get(self, request: Request, order_id: str) -> HttpResponse:
        """One of your orders. It is over when `terminal` is true."""
        read_query(request, Shape)
        return answer(_shown([_order(self, order_id)])[0])


class OrderEventsView(EventStreamView):
    subject_name = "orders"

    @extend_schema(operation_id="watch_order", parameters=[LAST_EVENT_ID], responses=STREAM, tags=["orders"])
    def get(self, request: Request, order_id: str) -> HttpResponse:
        """Watch an order as server-sent events: its present state first, then each change, until its end.

        The streams' own address keeps the answer open. Here it ends at once, with what there is, and an EventSource
        comes again every two seconds.
        """
        return self.answered(request, order_id)


def _orders(view: ApiView) -> "QuerySet[Order]":
    return Order.objects.filter(operator_id=view.caller.operator_id, environment=view.caller.environment)


def _quotes(view: ApiView) -> "QuerySet[Quote]":
    return Quote.objects.filter(operator_id=view.caller.operator_id, environment=view.caller.environment)


def _order(view: ApiView, order_id: str) -> Order:
    row = _orders(view).filter(reference=order_id).first()
    if row is None:
        raise NotFound
    return row


def _shown(rows: Sequence[Order]) -> list[dict[str, Any]]:
    trades = answers.transact_ids(rows)
    return [answers.order(row, transact_id=trades[row.reference]) for row in rows]


def _pools(environment: str) -> "QuerySet[Any]":
    halted = Exists(PoolHalt.objects.filter(pool=OuterRef("pk"), lifted_at__isnull=True))
    return Pool.objects.filter(environment=environment).annotate(is_halted=halted)
