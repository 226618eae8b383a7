"""Endpoints and deliveries, read-only. Secrets are never shown."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from ledger.controls.console import ReadOnlyAdmin, lamp
from ledger.controls.roles import Section
from webhooks.models import Delivery, DeliveryAttempt, Endpoint, Notice


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    section = Section.WEBHOOKS
    exact = ("reference", "url")
    hidden = ("secret",)
    list_display = ("reference", "url", "kind", "environment", "failing_since", "disabled_at", "disabled_reason")
    list_filter = ("environment", "kind")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """An endpoint has a page of its own."""
        reference = Endpoint.objects.filter(pk=object_id).values_list("reference", flat=True).first()
        return redirect("admin:endpoint-page", reference) if reference else redirect("admin:index")


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


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    section = Section.WEBHOOKS
    exact = ("endpoint_reference",)
    list_display = ("endpoint_reference", "reason", "environment", "noticed_at", "settled_at", "settled_by")
    list_filter = ("environment",)
