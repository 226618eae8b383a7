"""Operators, their gateways, rates, fees and remote operations, read-only. Secrets and hashes are never shown."""

from django.contrib import admin

from ledger.controls.console import ReadOnlyAdmin, amount, lamp
from ledger.controls.roles import Section
from wallets.models import (
    ApiRequest,
    Breaker,
    FeeRule,
    FxRate,
    Gateway,
    GatewayPause,
    Operator,
    OperatorKey,
    RemoteAttempt,
    RemoteOperation,
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


@admin.register(FeeRule)
class FeeRuleAdmin(ReadOnlyAdmin):
    section = Section.OPERATORS
    exact = ("name",)
    list_display = ("name", "version", "flow", "asset", "basis_points", "fixed_minor", "active_from", "active_until")


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
