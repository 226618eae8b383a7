"""How REST shows endpoints, deliveries and events. Never a secret, or what is internal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ledger.controls.event_log import RecordedEvent
from ledger.controls.rest.answers import instant, instant_or_none
from webhooks import rotation
from webhooks.event_types import EventType
from webhooks.health import Health
from webhooks.models import Delivery, DeliveryAttempt, Endpoint


def endpoint(row: Endpoint, *, old_secrets_end: Sequence[datetime] = ()) -> dict[str, Any]:
    return {
        "endpoint_id": row.reference,
        "kind": row.kind,
        "url": row.url,
        "topics": row.topics,
        "description": row.description,
        "enabled": row.disabled_at is None,
        "disabled_reason": row.disabled_reason or None,
        "disabled_at": instant_or_none(row.disabled_at),
        "failing_since": instant_or_none(row.failing_since),
        "old_secrets_end_at": [instant(moment) for moment in old_secrets_end],
        "created_at": instant(row.created_at),
    }


def endpoints(rows: Sequence[Endpoint], *, now: datetime) -> list[dict[str, Any]]:
    """Show endpoints, each with when its old secrets end."""
    ends = rotation.ends_of(rows, now=now)
    return [endpoint(row, old_secrets_end=ends[row.pk]) for row in rows]


def health(found: Health) -> dict[str, Any]:
    """Show an endpoint's health."""
    return {
        "attempts": found.attempts,
        "succeeded": found.succeeded,
        "last_success_at": instant_or_none(found.last_success_at),
        "median_ms": found.median_ms,
        "slow_ms": found.slow_ms,
        "waiting": found.waiting,
        "oldest_waiting_at": instant_or_none(found.oldest_waiting),
        "given_up": found.given_up,
    }


def event_type(found: EventType) -> dict[str, Any]:
    """Show a published event type."""
    return {
        "type": found.topic,
        "family": found.family,
        "version": found.version,
        "description": found.description,
        "schema": dict(found.shape),
    }


def deliveries(rows: Sequence[Delivery], *, endpoint_references: Mapping[int, str]) -> list[dict[str, Any]]:
    """Show deliveries, each with its attempts, in one query. The references are the endpoints', by id."""
    attempts: dict[int, list[dict[str, Any]]] = {row.pk: [] for row in rows}
    for attempt in DeliveryAttempt.objects.filter(delivery_id__in=attempts).order_by("number"):
        attempts[attempt.delivery_id].append(_attempt(attempt))
    return [_delivery(row, endpoint_references[row.endpoint_id], attempts[row.pk]) for row in rows]


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
        "excerpt": row.excerpt or None,
    }
