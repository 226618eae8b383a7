"""Quotes, orders, trades and pools, read-only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from ledger.controls.console import ReadOnlyAdmin, age, amount, lamp
from ledger.controls.roles import Section
from orders.freeze_card import freeze_card
from orders.models import Freeze, Market, Order, Pool, PoolHalt, Quote, Return, ReviewCase, SagaRun, StaleFinding, Trade


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    tells_age = True
    exact = ("reference", "partner_order_id", "quote_reference", "idempotency_key", "request_id", "user_reference")
    list_display = (
        "reference",
        "shown_state",
        "side",
        "status_reason",
        "gives",
        "gets",
        "partner_order_id",
        "shown_age",
    )
    list_filter = ("state", "side", "environment", "pool_code", "reconciliation_state")
    change_form_outer_before_template = "console/order.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the order with its diagram, its cases and its freezes."""
        order = Order.objects.filter(pk=object_id).first() if object_id.isascii() and object_id.isdigit() else None
        cases: Any = ReviewCase.objects.filter(subject=order.reference).order_by("-pk")[:5] if order else []
        context: dict[str, Any] = {
            "order": order,
            "cases": cases,
            **freeze_card(request, order),
            **(extra_context or {}),
        }
        shown: HttpResponse = super().change_view(request, object_id, form_url, context)
        return shown

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Order) -> str:
        return lamp(row.state)

    @admin.display(description="gives")
    def gives(self, row: Order) -> str:
        return amount(row.source_minor, row.source_asset)

    @admin.display(description="gets")
    def gets(self, row: Order) -> str:
        return amount(row.target_minor, row.target_asset)

    @admin.display(description="in this state for")
    def shown_age(self, row: Any) -> str:
        return age(row.updated_at, row.seen_at)


@admin.register(Quote)
class QuoteAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("reference", "order_reference", "user_reference")
    list_display = (
        *("reference", "shown_state", "side", "pool_code", "source", "target", "expires_at", "order_reference"),
    )
    list_filter = ("state", "side", "pool_code")

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Quote) -> str:
        return lamp(row.state)

    @admin.display(description="source")
    def source(self, row: Quote) -> str:
        return amount(row.source_minor, row.source_asset)

    @admin.display(description="target")
    def target(self, row: Quote) -> str:
        return amount(row.target_minor, row.target_asset)


@admin.register(Trade)
class TradeAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("reference", "order_reference", "quote_reference")
    list_display = ("reference", "shown_state", "pool_code", "order_reference", "created_at", "ended_at")
    list_filter = ("state", "pool_code")

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Trade) -> str:
        return lamp(row.state)


@admin.register(Return)
class ReturnAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    tells_age = True
    exact = ("reference", "order_reference", "trade_reference", "operation_key", "partner_order_id")
    list_display = ("reference", "shown_state", "kind", "leg", "shown_amount", "order_reference", "shown_age")
    list_filter = ("state", "kind", "environment")

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Return) -> str:
        return lamp(row.state)

    @admin.display(description="amount")
    def shown_amount(self, row: Return) -> str:
        return amount(row.amount_minor, row.asset)

    @admin.display(description="in this state for")
    def shown_age(self, row: Any) -> str:
        return age(row.updated_at, row.seen_at)


@admin.register(Pool)
class PoolAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("code",)
    list_display = ("code", "environment", "kind", "cash_asset", "position_asset", "open_reservations_cap")


@admin.register(Market)
class MarketAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("reference", "code")
    list_display = ("code", "shown_state", "question", "price_yes", "cash_asset", "environment", "ended_at")
    list_filter = ("state", "environment")

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Market) -> str:
        return lamp(row.state)


@admin.register(PoolHalt)
class PoolHaltAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    list_display = ("pool", "reason", "halted_by", "halted_at", "lifted_by", "lifted_at")
    list_select_related = ("pool",)


@admin.register(Freeze)
class FreezeAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("subject",)
    list_display = ("subject", "reason", "frozen_by", "frozen_at", "lifted_by", "lifted_at")


@admin.register(StaleFinding)
class StaleFindingAdmin(ReadOnlyAdmin):
    section = Section.QUEUES
    exact = ("subject",)
    list_display = ("subject", "kind", "state", "done", "times", "first_found_at", "last_found_at")
    list_filter = ("kind", "environment")
    ordering = ("-last_found_at",)


@admin.register(SagaRun)
class SagaRunAdmin(ReadOnlyAdmin):
    section = Section.QUEUES
    exact = ("subject",)
    hidden = ("lease_token",)
    list_display = ("subject", "available_at", "attempts", "lease_until", "last_error")
