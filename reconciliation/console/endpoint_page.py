"""A webhook endpoint's page: its health, its secrets' ends, its notices, its deliveries, and what can be done."""

from dataclasses import dataclass
from typing import Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ledger.controls import clock
from ledger.controls.console import age, trail
from ledger.controls.roles import Section, may, sees
from reconciliation.console.endpoint_operations import OPERATIONS
from wallets.models import Operator
from webhooks import health, rotation
from webhooks.models import Delivery, DeliveryAttempt, Endpoint, Notice

_SHOWN: Final = 30
_DIALOGS: Final = (
    "test-endpoint",
    "resend-events",
    "rotate-endpoint",
    "set-endpoint-topics",
    "enable-endpoint",
    "disable-endpoint",
    "settle-notice",
)


@dataclass(frozen=True, slots=True)
class ShownDelivery:
    row: Delivery
    attempts: list[DeliveryAttempt]


@require_GET
def page(request: HttpRequest, reference: str) -> HttpResponse:
    if not sees(request.user, Section.WEBHOOKS):
        raise PermissionDenied
    endpoint = Endpoint.objects.filter(reference=reference).first()
    if endpoint is None:
        raise Http404
    found = health.of([endpoint])[endpoint.pk]
    operations = [(name, OPERATIONS[name]) for name in _DIALOGS if may(request.user, OPERATIONS[name].ability)]
    now = clock.now()
    context = {
        **admin.site.each_context(request),
        **trail(endpoint),
        "title": "Webhook endpoint",
        "endpoint": endpoint,
        "operator": Operator.objects.filter(pk=endpoint.operator_id).first(),
        "health": found,
        "oldest_waiting": age(found.oldest_waiting, now),
        "last_success": age(found.last_success_at, now),
        "failing_for": age(endpoint.failing_since, now),
        "old_secrets_end": rotation.ends_of([endpoint], now=now)[endpoint.pk],
        "notices": Notice.objects.filter(endpoint_reference=reference).order_by("-pk")[:10],
        "deliveries": _deliveries(endpoint),
        "dialogs": [
            {
                "name": name,
                "operation": operation,
                "fields": [
                    {"name": key, "label": label, "choices": choices}
                    for key, label, choices in operation.fields()
                    if key != "reference"
                ],
            }
            for name, operation in operations
        ],
        "may_resend": may(request.user, OPERATIONS["resend-delivery"].ability),
    }
    return render(request, "console/endpoint.html", context)


def _deliveries(endpoint: Endpoint) -> list[ShownDelivery]:
    """Return the newest deliveries with their attempts, in two queries."""
    rows = list(Delivery.objects.filter(endpoint_id=endpoint.pk).order_by("-pk")[:_SHOWN])
    attempts: dict[int, list[DeliveryAttempt]] = {row.pk: [] for row in rows}
    for attempt in DeliveryAttempt.objects.filter(delivery_id__in=attempts).order_by("number"):
        attempts[attempt.delivery_id].append(attempt)
    return [ShownDelivery(row, attempts[row.pk]) for row in rows]
