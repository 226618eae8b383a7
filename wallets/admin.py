"""Operators, their gateways, rates, fees and remote operations, read-only. Secrets and hashes are never shown."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from ledger.controls.console import NAMED_COLUMNS, ReadOnlyAdmin, amount, lamp
from ledger.controls.roles import Section
from wallets.models import (
    ApiRequest,
    Breaker,
    FeeRule,
    FxRate,
    Gateway,
    GatewayPause,
    Inquiry,
    LimitRule,
    LimitUsage,
    Operator,
    OperatorKey,
    RemoteAttempt,
    RemoteOperation,
    Wallet,
    WalletFreeze,
)


@admin.register(Operator)
class OperatorAdmin(ReadOnlyAdmin):
    section = Section.OPERATORS
    exact = ("reference", "slug", "name")
    list_display = ("reference", "name", "slug", "kind", "created_at")


@admin.register(OperatorKey)
class OperatorKeyAdmin(ReadOnlyAdmin):
    section = Section.OPERATORS
    exact = ("hint", "label")
    hidden = ("key_hash",)
    list_display = ("hint", "operator", "environment", "label", "expires_at", "revoked_at", "last_used_at")
    list_select_related = ("operator",)


@admin.register(Gateway)
class GatewayAdmin(ReadOnlyAdmin):
    section = Section.OPERATORS
    hidden = ("secret",)
    list_display = (
        "operator",
        "environment",
        "wallet_asset",
        "time_limit_ms",
        "requery_cap",
        "concurrency",
        "inquiry_concurrency",
        "paused_until",
    )
    list_select_related = ("operator",)


@admin.register(GatewayPause)
class GatewayPauseAdmin(ReadOnlyAdmin):
    section = Section.OPERATORS
    list_display = ("gateway", "reason", "paused_by", "paused_at", "expires_at", "lifted_by", "lifted_at")
    list_select_related = ("gateway__operator",)


@admin.register(Breaker)
class BreakerAdmin(ReadOnlyAdmin):
    section = Section.OPERATORS
    hidden = ("probe_token",)
    list_display = ("gateway", "failures", "failing_since", "opened_at", "open_until", "openings", "probe_until")
    list_select_related = ("gateway__operator",)


class RuleAdmin(ReadOnlyAdmin):
    section = Section.RULES
    exact = ("reference", "code", "name")
    list_filter = ("state", "environment", "flow")

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: FeeRule | LimitRule) -> str:
        return lamp(row.state)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A version has a page of its own."""
        reference = self.model.objects.filter(pk=object_id).values_list("reference", flat=True).first()
        return redirect("admin:rule", reference) if reference else redirect("admin:rules")


@admin.register(FeeRule)
class FeeRuleAdmin(RuleAdmin):
    list_display = ("code", "number", "shown_state", "environment", "name", "flow", "asset", "phase", "made_by")


@admin.register(LimitRule)
class LimitRuleAdmin(RuleAdmin):
    list_display = ("code", "number", "shown_state", "environment", "name", "asset", "scope", "period", "shown_cap")

    @admin.display(description="cap")
    def shown_cap(self, row: LimitRule) -> str:
        return amount(row.cap_minor, row.asset)


@admin.display(description="operator")
def _operator(row: Any) -> str:
    """Name the operator of a row that keeps its id; rows of the house have none."""
    return Operator.objects.filter(pk=row.operator_id).values_list("name", flat=True).first() or "–"


NAMED_COLUMNS["operator_id"] = _operator


class OperatorNamed(ReadOnlyAdmin):
    """Rows that keep their operator's id, shown with its name."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        named = Operator.objects.filter(pk=OuterRef("operator_id")).values("name")
        rows: QuerySet[Any] = super().get_queryset(request).annotate(named=Subquery(named))
        return rows

    @admin.display(description="operator", ordering="operator_id")
    def operator_name(self, row: Any) -> str:
        return str(row.named or "–")


@admin.register(LimitUsage)
class LimitUsageAdmin(OperatorNamed):
    section = Section.RULES
    exact = ("wallet", "name")
    list_display = ("day", "name", "operator_name", "wallet", "flow", "channel", "shown_used")

    @admin.display(description="used")
    def shown_used(self, row: LimitUsage) -> str:
        return amount(row.used_minor, row.asset)


@admin.register(Wallet)
class WalletAdmin(OperatorNamed):
    section = Section.ORDERS
    exact = ("reference", "user_reference")
    list_display = ("reference", "user_reference", "kind", "environment", "operator_name", "opened_at", "closed_at")
    list_filter = ("environment", "kind")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A wallet has a page of its own."""
        reference = Wallet.objects.filter(pk=object_id).values_list("reference", flat=True).first()
        return redirect("admin:wallet-page", reference) if reference else redirect("admin:index")


@admin.register(WalletFreeze)
class WalletFreezeAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("wallet__reference",)
    list_display = ("wallet", "reason", "frozen_by", "frozen_at", "lifted_by", "lifted_at")
    list_select_related = ("wallet",)


@admin.register(FxRate)
class FxRateAdmin(ReadOnlyAdmin):
    section = Section.OPERATORS
    list_display = ("base_asset", "quote_asset", "rate", "source", "observed_at")


@admin.register(RemoteOperation)
class RemoteOperationAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("key", "owner", "reference", "remote_ref")
    hidden = ("lease_token", "request_digest")
    list_display = ("key", "shown_state", "shown_amount", "asks", "lookups", "unknown_cause", "updated_at")
    list_filter = ("state", "leg")

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: RemoteOperation) -> str:
        return lamp(row.state)

    @admin.display(description="amount")
    def shown_amount(self, row: RemoteOperation) -> str:
        return amount(row.amount_minor, row.asset)


@admin.register(RemoteAttempt)
class RemoteAttemptAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("request_id",)
    list_display = ("operation_id", "number", "kind", "outcome", "detail", "http_status", "duration_ms", "late")


@admin.register(Inquiry)
class InquiryAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("request_id",)
    list_display = ("started_at", "kind", "subject", "outcome", "detail", "http_status", "duration_ms", "request_id")
    list_filter = ("kind", "outcome")


@admin.register(ApiRequest)
class ApiRequestAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("request_id", "subject")
    rarely = ("idempotency_key",)
    list_display = (
        "request_id",
        "method",
        "route",
        "status",
        "replay",
        "idempotency_key",
        "duration_ms",
        "received_at",
    )
    list_filter = ("status", "replay")
