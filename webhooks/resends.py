"""Resends: new deliveries of a range of events to one endpoint, after a gap or a mistake at the receiver.

The range is of events, not of deliveries, so that it also holds what was recorded while the endpoint was disabled.
What still waits for its attempt is left alone. An endpoint's test events have no place in the feed; they belong to a
range that is by time alone.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from ledger.controls import bell, references, request_context
from ledger.controls.refusals import Malformed
from webhooks import endpoints, feed, transitions
from webhooks.models import Endpoint

MOST: Final = 1000
"""Events of one resend; the answer names where to go on."""

MOST_TESTS: Final = 100
"""Test events among them; fewer than all, so that what is left always begins at a place in the feed."""

_CHOOSE = """
SELECT e.id, e.reference FROM webhooks_feedentry AS f JOIN ledger_event AS e ON e.id = f.event_id
WHERE f.operator_id = %(operator)s AND f.environment = %(environment)s
  AND f.position >= %(first)s AND f.position <= %(last)s
  AND e.recorded_at >= coalesce(%(since)s::timestamptz, '-infinity')
  AND e.recorded_at < coalesce(%(until)s::timestamptz, 'infinity')
  AND (%(every_topic)s OR e.topic = ANY (%(topics)s) OR split_part(e.topic, '.', 1) || '.*' = ANY (%(topics)s))
  AND NOT EXISTS (
      SELECT FROM webhooks_delivery AS d WHERE d.event_id = e.id AND d.endpoint_id = %(endpoint)s
        AND (d.state = 'pending' OR (%(undelivered_only)s AND d.state = 'delivered')))
ORDER BY f.position LIMIT %(limit)s
"""
_CHOOSE_TESTS = """
SELECT e.id, e.reference FROM ledger_event AS e
WHERE e.aggregate = %(reference)s AND e.topic = %(test_topic)s
  AND e.recorded_at >= %(since)s::timestamptz
  AND e.recorded_at < coalesce(%(until)s::timestamptz, 'infinity')
  AND NOT EXISTS (
      SELECT FROM webhooks_delivery AS d WHERE d.event_id = e.id AND d.endpoint_id = %(endpoint)s
        AND (d.state = 'pending' OR (%(undelivered_only)s AND d.state = 'delivered')))
ORDER BY e.sequence LIMIT %(limit)s
"""
_LAST_POSITION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events: recorded in [since, until), and from the first to the last of these two in the feed's order.

    "" and None leave a side open, but not both beginnings. `undelivered_only` leaves out what the endpoint once took.
    """

    since: datetime | None = None
    until: datetime | None = None
    first: str = ""
    last: str = ""
    undelivered_only: bool = True


@dataclass(frozen=True, slots=True)
class Resent:
    """`goes_on_at` is the first event that was left for the next call, "" when all are done."""

    number: int
    goes_on_at: str


def resend(
    *, operator_id: int, environment: str, reference: str, selection: Selection, actor: str, now: datetime
) -> Resent:
    """Start new deliveries of the events selected, at most 1000. Raises NotFound, EndpointDisabled or Malformed."""
    endpoint = endpoints.locked_and_enabled(operator_id=operator_id, environment=environment, reference=reference)
    transitions.hold_the_archive()
    found = _choose(endpoint, selection)
    chosen, left = found[:MOST], found[MOST:]
    if chosen:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT webhooks_resend(%s, %s, %s, %s, %s, %s, %s)",
                [
                    endpoint.pk,
                    [event_id for event_id, _ in chosen],
                    [references.new(references.Prefix.DELIVERY) for _ in chosen],
                    actor,
                    "resend asked",
                    request_context.request_id(),
                    now,
                ],
            )
        bell.ring_after_commit("deliveries")
    return Resent(number=len(chosen), goes_on_at=left[0][1] if left else "")


def _choose(endpoint: Endpoint, selection: Selection) -> list[tuple[int, str]]:
    """Return (id, reference) of the events selected: test events, then the feed's in its order, one more than are sent."""
    if selection.since is None and not selection.first:
        raise Malformed(
            "A resend begins somewhere: since, or first_event_id.", errors={"since": ["Say one of the two."]}
        )
    parameters: dict[str, Any] = {
        "operator": endpoint.operator_id,
        "environment": endpoint.environment,
        "endpoint": endpoint.pk,
        "reference": endpoint.reference,
        "test_topic": endpoints.TEST_TOPIC,
        "first": _position(endpoint, selection.first, "first_event_id") if selection.first else 0,
        "last": _position(endpoint, selection.last, "last_event_id") if selection.last else _LAST_POSITION,
        "since": selection.since,
        "until": selection.until,
        "every_topic": not endpoint.topics,
        "topics": endpoint.topics,
        "undelivered_only": selection.undelivered_only,
    }
    by_time_alone = not selection.first and not selection.last
    tests = _found(_CHOOSE_TESTS, {**parameters, "limit": min(MOST_TESTS, MOST - 1)}) if by_time_alone else []
    return tests + _found(_CHOOSE, {**parameters, "limit": MOST + 1 - len(tests)})


def _found(question: str, parameters: dict[str, Any]) -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(question, parameters)
        return [(int(row[0]), str(row[1])) for row in cursor.fetchall()]


def _position(endpoint: Endpoint, event: str, field: str) -> int:
    try:
        return feed.position_of(operator_id=endpoint.operator_id, environment=endpoint.environment, event=event)
    except feed.UnknownEvent:
        raise Malformed(errors={field: ["There is no such event in this feed."]}) from None
