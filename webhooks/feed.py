"""The feed: an operator's public events in the order of their places, for who missed a delivery."""

from ledger.controls import event_log
from ledger.controls.event_log import RecordedEvent
from ledger.controls.refusals import Malformed
from webhooks.models import FeedEntry


class UnknownEvent(Malformed):
    """`after` names no event of this feed."""

    code = "malformed_cursor"


def page(*, operator_id: int, environment: str, after: str, limit: int) -> tuple[list[RecordedEvent], bool]:
    """Return the events behind the one named `after` ("" for the beginning), oldest first, and whether more follow.

    Raises UnknownEvent.
    """
    mine = FeedEntry.objects.filter(operator_id=operator_id, environment=environment)
    position = 0
    if after:
        position = position_of(operator_id=operator_id, environment=environment, event=after)
    entries = list(mine.filter(position__gt=position).order_by("position")[: limit + 1])
    events = event_log.with_ids(entry.event_id for entry in entries[:limit])
    return [events[entry.event_id] for entry in entries[:limit]], len(entries) > limit


def find(*, operator_id: int, environment: str, reference: str) -> RecordedEvent | None:
    """Return one event of the feed, or None where there is none."""
    event_id = event_log.id_of(reference=reference, operator_id=operator_id, environment=environment)
    if event_id is None or not FeedEntry.objects.filter(event_id=event_id).exists():
        return None
    return event_log.with_ids([event_id])[event_id]


def position_of(*, operator_id: int, environment: str, event: str) -> int:
    """Return the place of the event of this reference in the feed. Raises UnknownEvent."""
    mine = FeedEntry.objects.filter(operator_id=operator_id, environment=environment)
    event_id = event_log.id_of(reference=event, operator_id=operator_id, environment=environment)
    position = mine.filter(event_id=event_id).values_list("position", flat=True).first() if event_id else None
    if position is None:
        raise UnknownEvent(errors={"after": ["There is no such event in this feed."]})
    return position
