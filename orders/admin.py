"""Quotes, orders, trades, pools and intents, read-only."""

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from ledger.controls.console import ReadOnlyAdmin, age, amount, lamp
from ledger.controls.roles import Section
from orders.freeze_card import freeze_card
from orders.models import (
    Freeze,
    Intent,
    Market,
    Order,
    PayIn,
    Payout,
    Pool,
    PoolHalt,
    Quote,
    Return,
    ReviewCase,
    SagaRun,
    StaleFinding,
    Trade,
    Venue,
)

_OPEN: Final = (*(Intent.State.CREATED, Intent.State.VALIDATED, Intent.State.AUTHORIZED, Intent.State.MANUAL_REVIEW),)


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


@admin.register(Intent)
class IntentAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    tells_age = True
    exact = ("reference", "partner_reference", "payer", "payee", "reference_number")
    rarely = ("request_id",)
    list_display = (
        *("page", "shown_state", "kind", "channel", "status_reason", "shown_amount", "payer", "payee"),
        *("partner_reference", "scheduled_for", "shown_age"),
    )
    list_filter = ("state", "kind", "channel", "environment", "asset")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        """Look for what has not ended among what has not ended: few, and in an index."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(ended_at__isnull=True) if request.GET.get("state__exact") in _OPEN else rows

    @admin.display(description="intent", ordering="reference")
    def page(self, row: Intent) -> str:
        """Open it from end to end; the page lies on the floor that joins floors."""
        return format_html(
            '<a class="hf-mono underline" href="{}">{}</a>',
            reverse("admin:intent-page", args=[row.reference]),
            row.reference,
        )

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Intent) -> str:
        return lamp(row.state)

    @admin.display(description="amount", ordering="amount_minor")
    def shown_amount(self, row: Intent) -> str:
        return amount(row.amount_minor, row.asset)

    @admin.display(description="in this state for")
    def shown_age(self, row: Any) -> str:
        return age(row.updated_at, row.seen_at)


class InFlight(admin.SimpleListFilter):
    """Payouts between their hold and their end; the oldest first is what matters."""

    title = "in flight"
    parameter_name = "in_flight"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "In flight"), ("dead", "Dead letters"), ("no", "Complete")]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Payout]") -> "QuerySet[Payout]":
        state = Payout.State
        match self.value():
            case "yes":
                return queryset.exclude(state=state.COMPLETE)
            case "dead":
                return queryset.filter(state__in=(state.DEAD_LETTER, state.MANUAL_REVIEW))
            case "no":
                return queryset.filter(state=state.COMPLETE)
        return queryset


@admin.register(Payout)
class PayoutAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    tells_age = True
    exact = ("reference", "intent_reference")
    list_display = (
        *(
            "reference",
            "page",
            "shown_state",
            "shown_amount",
            "requeries",
            "next_requery_at",
            "shown_wait",
            "shown_age",
        ),
    )
    list_filter = (InFlight, "state", "environment", "asset")
    ordering = ("pk",)

    @admin.display(description="intent")
    def page(self, row: Payout) -> str:
        return format_html(
            '<a class="hf-mono underline" href="{}">{}</a>',
            reverse("admin:intent-page", args=[row.intent_reference]),
            row.intent_reference,
        )

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Payout) -> str:
        return lamp(row.state)

    @admin.display(description="pays out", ordering="amount_minor")
    def shown_amount(self, row: Payout) -> str:
        return amount(row.amount_minor, row.asset)

    @admin.display(description="in this state for")
    def shown_wait(self, row: Any) -> str:
        return age(row.updated_at, row.seen_at)

    @admin.display(description="age", ordering="created_at")
    def shown_age(self, row: Any) -> str:
        return age(row.created_at, row.seen_at)


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


@admin.register(Venue)
class VenueAdmin(ReadOnlyAdmin):
    section = Section.OPERATORS
    exact = ("code",)
    list_display = ("code", "environment", "reserves", "gateway_id")


@admin.register(Pool)
class PoolAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("code",)
    list_display = (
        "code",
        "environment",
        "kind",
        "cash_asset",
        "position_asset",
        "open_reservations_cap",
        "quote_margin_bps",
    )


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


@admin.register(PayIn)
class PayInAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("reference", "wallet", "provider_transaction", "collection")
    rarely = ("inbound_event",)
    list_display = ("reference", "kind", "gross", "fees", "net", "wallet", "provider_code", "occurred_at")
    list_filter = ("kind", "environment", "provider_code")

    @admin.display(description="gross", ordering="gross_minor")
    def gross(self, row: PayIn) -> str:
        return amount(row.gross_minor, row.asset)

    @admin.display(description="fee and VAT")
    def fees(self, row: PayIn) -> str:
        return amount(row.fee_minor + row.vat_minor, row.asset)

    @admin.display(description="net")
    def net(self, row: PayIn) -> str:
        return amount(row.net_minor, row.asset)
