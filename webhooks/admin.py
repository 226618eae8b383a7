"""Endpoints, deliveries and what arrives, read-only. Secrets are never shown."""

import json
from collections.abc import Sequence
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe

from ledger import event_ids
from ledger.controls.console import ReadOnlyAdmin, lamp
from ledger.controls.redaction import redacted
from ledger.controls.roles import Section
from webhooks import given_up
from webhooks.models import (
    Delivery,
    DeliveryAttempt,
    Endpoint,
    InboundEvent,
    InboxCount,
    Provider,
    ProviderTransaction,
)

_LINK: Final = "text-primary-600 dark:text-primary-500 underline"
_MOST_ATTEMPTS: Final = 50


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


class GivenUp(admin.SimpleListFilter):
    """Those that people still have to do something about."""

    title = "given up"
    parameter_name = "given_up"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("left", "and not taken since")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(pk__in=given_up.left_to_do().values("pk")) if self.value() == "left" else queryset


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """A page per delivery: where it goes, each attempt, and how to send it again."""

    section = Section.WEBHOOKS
    exact = ("reference",)
    elsewhere = ("event_reference", "aggregate")
    hidden = ("lease_token", "endpoint_id", "event_id", "operator_id", "version")
    list_display = ("reference", "topic", "shown_state", "attempts", "aggregate", "created_at")
    list_filter = ("state", GivenUp, "topic")

    def also_found(self, term: str) -> Sequence[QuerySet[Any, Any]]:
        return [Delivery.objects.filter(event_id__in=event_ids.named(term)).values("pk")]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["endpoint", *super().get_fields(request, obj), "each_attempt", "resend"]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Read what its fields show once: each of them is asked for its value several times."""
        row: Any = super().get_object(request, object_id, from_field)
        if row is not None:
            row.went_to = Endpoint.objects.get(pk=row.endpoint_id)
            attempts = DeliveryAttempt.objects.filter(delivery_id=row.pk).order_by("number")
            row.made = list(attempts[:_MOST_ATTEMPTS])
        return row

    @admin.display(description="endpoint")
    def endpoint(self, row: Any) -> str:
        found = row.went_to
        url = reverse("admin:endpoint-page", args=[found.reference])
        return format_html('<a class="{}" href="{}">{}</a> {}', _LINK, url, found.reference, found.url)

    @admin.display(description="each attempt")
    def each_attempt(self, row: Any) -> str:
        found = (
            (
                one.number,
                one.failure or f"answered {one.http_status}",
                f"{one.started_at:%Y-%m-%d %H:%M:%S} UTC, {one.duration_ms} ms",
                one.excerpt,
            )
            for one in row.made
        )
        line = '{}: {} <span style="opacity:.7">{}</span><div style="overflow-wrap:anywhere;opacity:.7">{}</div>'
        return format_html_join("", line, found) or "none"

    @admin.display(description="resend")
    def resend(self, row: Delivery) -> str:
        if row.state == Delivery.State.PENDING:
            return "it still waits for its attempt"
        url = reverse("admin:operation", args=["resend-delivery"])
        return format_html('<a class="{}" href="{}?delivery={}">send the event again</a>', _LINK, url, row.reference)

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Delivery) -> str:
        return lamp(row.state)


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(ReadOnlyAdmin):
    section = Section.WEBHOOKS
    rarely = ("request_id",)
    list_display = ("delivery_id", "number", "http_status", "failure", "duration_ms", "started_at")


@admin.register(InboundEvent)
class InboundEventAdmin(ReadOnlyAdmin):
    """A list by state and reason; a page per event: what it did or why it was ignored, its body redacted."""

    section = Section.WEBHOOKS
    exact = ("reference", "provider_transaction")
    elsewhere = ("provider_event_id",)
    rarely = ("request_id",)
    hidden = ("body", "version", "provider_id", "operator_id")
    list_display = (
        "reference",
        "provider_code",
        "kind",
        "shown_state",
        "reason",
        "attempts",
        "created_at",
        "judged_at",
    )
    list_filter = ("state", "provider_code", "kind")
    ordering = ("-created_at", "-id")

    def also_found(self, term: str) -> Sequence[QuerySet[Any, Any]]:
        """Find a provider's event by the index of each provider's."""
        of_any = Provider.objects.values("pk")
        return [InboundEvent.objects.filter(provider_id__in=of_any, provider_event_id=term).values("pk")]

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request)
        one = request.resolver_match is not None and "object_id" in request.resolver_match.kwargs
        return found if one else found.defer("body", "headers")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*super().get_fields(request, obj), "shown_body", "replay"]

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: InboundEvent) -> str:
        return lamp(row.state)

    @admin.display(description="body (secrets removed)")
    def shown_body(self, row: InboundEvent) -> str:
        text = json.dumps(redacted(json.loads(bytes(row.body))), indent=2, ensure_ascii=False)
        return format_html('<pre style="white-space:pre-wrap;overflow-wrap:anywhere">{}</pre>', text)

    @admin.display(description="replay")
    def replay(self, row: InboundEvent) -> str:
        if row.state != InboundEvent.State.DEAD:
            return "only a dead event is replayed"
        return format_html(
            '<a class="{}" href="{}?reference={}">replay it</a>',
            _LINK,
            reverse("admin:operation", args=["replay-inbound"]),
            row.reference,
        )


@admin.register(Provider)
class ProviderAdmin(ReadOnlyAdmin):
    section = Section.WEBHOOKS
    exact = ("code",)
    list_display = (
        *("code", "environment", "shown_kinds", "scheme", "tolerance_seconds", "size_limit", "created_at"),
        "disabled_at",
    )

    @admin.display(description="may bring")
    def shown_kinds(self, row: Provider) -> str:
        return ", ".join(row.kinds)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*super().get_fields(request, obj), "secrets_valid", "refused", "what_can_be_done"]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Read what its fields show once: each of them is asked for its value several times."""
        row: Any = super().get_object(request, object_id, from_field)
        if row is not None:
            row.kept = list(row.secrets.order_by("-created_at", "-pk")[:8])
            row.counted = list(InboxCount.objects.filter(provider_code=row.code).order_by("-day", "reason")[:10])
        return row

    @admin.display(description="secrets (never shown)")
    def secrets_valid(self, row: Any) -> str:
        return format_html_join(
            mark_safe("<br>"),
            "made {}: {}",
            (
                (
                    f"{one.created_at:%Y-%m-%d %H:%M} UTC",
                    f"until {one.expires_at:%Y-%m-%d %H:%M} UTC" if one.expires_at else "valid",
                )
                for one in row.kept
            ),
        )

    @admin.display(description="refused or repeated, newest days")
    def refused(self, row: Any) -> str:
        found = ((one.day, one.reason.replace("_", " "), one.count) for one in row.counted)
        return format_html_join(mark_safe("<br>"), "{} {}: {}", found) or "nothing"

    @admin.display(description="by admins")
    def what_can_be_done(self, row: Provider) -> str:
        names = ("allow-provider", "rotate-provider", "enable-provider" if row.disabled_at else "disable-provider")
        return format_html_join(
            " · ",
            '<a class="{}" href="{}?provider={}">{}</a>',
            ((_LINK, reverse("admin:operation", args=[name]), row.code, name.partition("-")[0]) for name in names),
        )


@admin.register(InboxCount)
class InboxCountAdmin(ReadOnlyAdmin):
    section = Section.WEBHOOKS
    exact = ("provider_code",)
    list_display = ("provider_code", "reason", "day", "count")
    list_filter = ("reason",)
    ordering = ("-day", "provider_code", "reason")


@admin.register(ProviderTransaction)
class ProviderTransactionAdmin(ReadOnlyAdmin):
    section = Section.WEBHOOKS
    exact = ("reference", "event_reference")
    list_display = ("reference", "kind", "event_reference", "booked_at")
