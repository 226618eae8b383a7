"""How REST shows endpoints, deliveries and events. Never a secret, an answer's body, or what is internal."""

from collections.abc import Sequence
from typing import Any

from ledger.controls.event_log import RecordedEvent
from ledger.controls.rest.answers import instant, instant_or_none
from webhooks.models import Delivery, DeliveryAttempt, Endpoint


def endpoint(row: Endpoint) -> dict[str, Any]:
    return {
        "endpoint_id": row.reference,
        "url": row.url,
        "topics": row.topics,
        "description": row.description,
        "enabled": row.disabled_at is None,
        "disabled_reason": row.disabled_reason or None,
        "disabled_at": instant_or_none(row.disabled_at),
        "created_at": instant(row.created_at),
    }


def deliveries(rows: Sequence[Delivery], *, endpoint_reference: str) -> list[dict[str, Any]]:
    """Show deliveries of one endpoint, each with its attempts, in one query."""
    attempts: dict[int, list[dict[str, Any]]] = {row.pk: [] for row in rows}
    for attempt in DeliveryAttempt.objects.filter(delivery_id__in=attempts).order_by("number"):
        attempts[attempt.delivery_id].append(_attempt(attempt))
    return [_delivery(row, endpoint_reference, attempts[row.pk]) for row in rows]


def event(recorded: RecordedEvent) -> dict[str, Any]:
    """Show an event as its delivery does."""
    return {
        "type": recorded.topic,
        "timestamp": instant(recorded.recorded_at),
        "id": recorded.reference,
        "environment": recorded.environment,
        "data": recorded.payload,
    }


def _delivery(row: Delivery, endpoint_reference: str, attempts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "delivery_id": row.reference,
        "endpoint_id": endpoint_reference,
        "event_id": row.event_reference,
        "type": row.topic,
        "status": row.state,
        "attempts": attempts,
        "next_attempt_at": instant(row.available_at) if row.state == Delivery.State.PENDING else None,
        "created_at": instant(row.created_at),
        "updated_at": instant(row.updated_at),
    }


def _attempt(row: DeliveryAttempt) -> dict[str, Any]:
    return {
        "number": row.number,
        "started_at": instant(row.started_at),
        "duration_ms": row.duration_ms,
        "http_status": row.http_status,
        "failure": row.failure or None,
    }
