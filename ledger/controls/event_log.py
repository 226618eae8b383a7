"""The event log as other floors may use it: read recorded events, and record one that no move causes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Max

from ledger.controls import bell, references, request_context
from ledger.controls.events import Payload
from ledger.controls.moves import OutsideTransaction
from ledger.models import ArchivedEvent, Event, QueuedEvent


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One row of the log. `sequence` counts within `aggregate`, from 1."""

    id: int
    reference: str
    environment: str
    operator_id: int | None
    topic: str
    aggregate: str
    sequence: int
    payload: Payload
    recorded_at: datetime


def with_ids(ids: Iterable[int]) -> dict[int, RecordedEvent]:
    """Return the events with these ids, by id; archived ones too."""
    wanted = set(ids)
    found = {event.pk: _recorded(event) for event in Event.objects.filter(pk__in=wanted)}
    if missing := wanted - set(found):
        found |= {event.pk: _recorded(event) for event in ArchivedEvent.objects.filter(pk__in=missing)}
    return found


def id_of(*, reference: str, operator_id: int, environment: str) -> int | None:
    """Return the id of an operator's event, or None where there is none."""
    whose = {"reference": reference, "operator_id": operator_id, "environment": environment}
    found = Event.objects.filter(**whose).values_list("pk", flat=True).first()
    return found or ArchivedEvent.objects.filter(**whose).values_list("pk", flat=True).first()


def is_archived(event_id: int) -> bool:
    """Tell whether an event was archived: it is read as before, and sent no more."""
    return ArchivedEvent.objects.filter(pk=event_id).exists()


def record_unqueued(
    *, environment: str, operator_id: int, topic: str, aggregate: str, payload: Payload, now: datetime
) -> RecordedEvent:
    """Record a public event that the relay need not pass on. The caller holds the aggregate's row locked.

    Raises OutsideTransaction.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction
    last = Event.objects.filter(aggregate=aggregate).aggregate(last=Max("sequence"))["last"]
    return _recorded(
        Event.objects.create(
            reference=references.new(references.Prefix.EVENT),
            environment=environment,
            operator_id=operator_id,
            topic=topic,
            aggregate=aggregate,
            sequence=(last or 0) + 1,
            payload=payload,
            public=True,
            request_id=request_context.request_id(),
            recorded_at=now,
        )
    )


def record_internal(
    *,
    environment: str,
    operator_id: int | None,
    topic: str,
    aggregate: str,
    payload: Payload,
    sequence: int,
    now: datetime,
) -> None:
    """Record an event that no move causes and that stays in the house, for the relay to pass on to its listeners.

    The caller holds the aggregate's row locked and names a sequence that no move of it takes. Raises OutsideTransaction.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction
    event = Event.objects.create(
        reference=references.new(references.Prefix.EVENT),
        environment=environment,
        operator_id=operator_id,
        topic=topic,
        aggregate=aggregate,
        sequence=sequence,
        payload=payload,
        public=False,
        request_id=request_context.request_id(),
        recorded_at=now,
    )
    QueuedEvent.objects.create(event=event, aggregate=aggregate, sequence=sequence, available_at=now)
    bell.ring_after_commit("relay")


def _recorded(event: Event | ArchivedEvent) -> RecordedEvent:
    return RecordedEvent(
        id=event.pk,
        reference=event.reference,
        environment=event.environment,
        operator_id=event.operator_id,
        topic=event.topic,
        aggregate=event.aggregate,
        sequence=event.sequence,
        payload=event.payload,
        recorded_at=event.recorded_at,
    )
