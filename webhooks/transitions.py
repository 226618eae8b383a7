"""The moves of deliveries. In bulk they are two SQL functions under the same guard: `legal_move` and `record_moves`.

Births in bulk are the relay's (`webhooks_fan_out`); one by one, for a test or a resend, they pass `move`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from ledger.controls import clock, event_log, references
from ledger.controls.event_log import RecordedEvent
from ledger.controls.moves import Birth, Why, move
from ledger.controls.refusals import Refusal
from webhooks.models import Delivery, Endpoint

DISABLE_AFTER: Final = timedelta(days=5)


class EventArchived(Refusal):
    """This event is archived: read it with GET /v1/events; it is sent no more."""

    code = "event_archived"
    status = 409


class Verdict(StrEnum):
    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"
    UNSENT = "unsent"
    """Given back as if never claimed: there was no time left in the lease, or one before it failed."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """What became of one claimed delivery. `started_at` is None when nothing was sent.

    `delay` is in seconds, for a retry. `succeeded` is None when it says nothing about the endpoint's health; `disable`
    is the reason for which the endpoint is to be disabled.
    """

    id: int
    token: str
    number: int
    verdict: Verdict
    cause: str
    request_id: str = ""
    started_at: datetime | None = None
    duration_ms: int = 0
    http_status: int | None = None
    failure: str = ""
    excerpt: str = ""
    delay: float = 0
    succeeded: bool | None = None
    disable: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """`lost` were leased by somebody else meanwhile: only their attempts were written. `disabled` are endpoints."""

    delivered: int
    dead: int
    lost: int
    disabled: list[int]


def record_attempts(results: Sequence[Attempted]) -> Recorded:
    """Write down attempts and make the moves that follow from them, in one transaction."""
    rows = json.dumps([asdict(result) for result in results], cls=DjangoJSONEncoder)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT delivered, dead, lost, disabled FROM webhooks_record_attempts(%s::jsonb, %s, %s::timestamptz)",
            [rows, int(DISABLE_AFTER.total_seconds()), clock.parameter()],
        )
        row = cursor.fetchone()
    assert row is not None
    return Recorded(*row)


def hasten(*, endpoint_ids: Sequence[int]) -> None:
    """Make all waiting deliveries of endpoints due, so that those of a disabled one end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT webhooks_hasten(%s, %s::timestamptz)", [list(endpoint_ids), clock.parameter()])


def hold_the_archive() -> None:
    """Have no event archived until the transaction ends: what is chosen now is there when its delivery is sent."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended('event_archive', 8))")


def deliver_again(*, delivery: Delivery, why: Why, now: datetime) -> Delivery:
    """Start a new delivery of the same event to the same endpoint. Raises EventArchived."""
    hold_the_archive()
    if event_log.is_archived(delivery.event_id):
        raise EventArchived
    again = _new_delivery(endpoint_id=delivery.endpoint_id, now=now)
    again.environment, again.operator_id = delivery.environment, delivery.operator_id
    again.event_id, again.event_reference = delivery.event_id, delivery.event_reference
    again.topic, again.aggregate, again.sequence = delivery.topic, delivery.aggregate, delivery.sequence
    move(Birth(again), why=why, now=now)
    return again


def deliver_to(*, endpoint: Endpoint, event: RecordedEvent, why: Why, now: datetime) -> Delivery:
    """Start the delivery of an event to one endpoint, whatever its topics."""
    delivery = _new_delivery(endpoint_id=endpoint.pk, now=now)
    delivery.environment, delivery.operator_id = endpoint.environment, endpoint.operator_id
    delivery.event_id, delivery.event_reference = event.id, event.reference
    delivery.topic, delivery.aggregate, delivery.sequence = event.topic, event.aggregate, event.sequence
    move(Birth(delivery), why=why, now=now)
    return delivery


def _new_delivery(*, endpoint_id: int, now: datetime) -> Delivery:
    return Delivery(reference=references.new(references.Prefix.DELIVERY), endpoint_id=endpoint_id, available_at=now)
