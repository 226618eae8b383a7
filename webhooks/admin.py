"""Endpoints and deliveries, read-only. Secrets are never shown."""

from django.contrib import admin

from ledger.controls.console import ReadOnlyAdmin, lamp
from ledger.controls.roles import Section
from webhooks.models import Delivery, DeliveryAttempt, Endpoint


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    section = Section.WEBHOOKS
    exact = ("reference", "url")
    hidden = ("secret",)
    list_display = ("reference", "url", "environment", "failing_since", "disabled_at", "disabled_reason")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    section = Section.WEBHOOKS
    exact = ("reference", "event_reference", "aggregate")
    hidden = ("lease_token",)
    list_display = ("reference", "topic", "shown_state", "attempts", "aggregate", "available_at", "ended_at")
    list_filter = ("state", "topic")

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Delivery) -> str:
        return lamp(row.state)


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(ReadOnlyAdmin):
    section = Section.WEBHOOKS
    exact = ("request_id",)
    list_display = ("delivery_id", "number", "http_status", "failure", "duration_ms", "started_at")
