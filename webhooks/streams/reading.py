"""What streams ask the database: short questions, one for all open streams. Nothing is held while anybody waits."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from ledger.controls.refusals import Malformed, NotFound
from ledger.controls.rest.answers import instant, render
from webhooks.streams import frames
from webhooks.streams.subjects import Current, Subject

MOST_AT_ONCE: Final = 100
"""Events of one aggregate in one answer; the rest comes with the next question."""

_REFERENCE: Final = re.compile(r"evt_[0-9a-z]{26}", re.ASCII)
_COLUMNS: Final = "e.aggregate, e.sequence, e.reference, e.topic, e.environment, e.recorded_at, e.payload::text"
_CHANGES: Final = (
    f"SELECT {_COLUMNS} FROM unnest(%s::text[], %s::int[]) AS watched (aggregate, sequence)"  # noqa: S608  (constants)
    " CROSS JOIN LATERAL (SELECT * FROM ledger_event AS e WHERE e.aggregate = watched.aggregate"
    " AND e.sequence > watched.sequence AND e.public ORDER BY e.sequence LIMIT %s) AS e"
    " ORDER BY e.aggregate, e.sequence"
)
_MISSED: Final = _CHANGES.replace("FROM ledger_event AS", "FROM ledger_event_ever AS")
_NEWEST: Final = (
    f"SELECT {_COLUMNS} FROM ledger_event_ever AS e WHERE e.aggregate = %s AND e.sequence <= %s AND e.public"  # noqa: S608
    " ORDER BY e.sequence DESC LIMIT 1"
)
_SEEN: Final = "SELECT sequence FROM ledger_event_ever WHERE reference = %s AND aggregate = %s AND public"


class UnknownLastEvent(Malformed):
    """`Last-Event-ID` names no event of this stream."""

    code = "malformed_cursor"


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a stream, ready to be sent."""

    sequence: int
    topic: str
    octets: bytes


@dataclass(frozen=True, slots=True)
class Opening:
    """What a stream begins with. `is_over` says that nothing can follow, `sequence` where to go on."""

    frames: Sequence[Frame]
    sequence: int
    is_over: bool


def reach() -> None:
    """Ask the database anything. Raises Django's DatabaseError or InterfaceError when it cannot be reached."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def opening(
    subject: Subject, *, operator_id: int, environment: str, reference: str, last_event_id: str = ""
) -> Opening:
    """Return the present state, or what came after the last event seen. Raises NotFound or UnknownLastEvent."""
    current = subject.find(operator_id=operator_id, environment=environment, reference=reference)
    if current is None:
        raise NotFound
    if not last_event_id:
        frame = _present(current, environment=environment, reference=reference)
        return Opening([frame], sequence=current.sequence, is_over=current.topic in subject.terminal)
    sequence = _sequence_of(last_event_id, reference=reference)
    found = _events(_MISSED, {reference: sequence}).get(reference, [])
    last = found[-1].sequence if found else sequence
    # The event of a terminal state commits with it: it is among what was found, behind it, or was seen before.
    is_over = current.topic in subject.terminal and (not found or any(one.topic in subject.terminal for one in found))
    return Opening(found, sequence=last, is_over=is_over)


def changes(watched: Mapping[str, int]) -> dict[str, list[Frame]]:
    """Return the public events after these sequences, by aggregate and in sequence, in one query.

    For streams that are open: what comes now is not in the archive.
    """
    return _events(_CHANGES, watched)


def _events(question: str, watched: Mapping[str, int]) -> dict[str, list[Frame]]:
    found: dict[str, list[Frame]] = {}
    with connection.cursor() as cursor:
        cursor.execute(question, [list(watched), list(watched.values()), MOST_AT_ONCE])
        for row in cursor.fetchall():
            found.setdefault(row[0], []).append(_frame(row))
    return found


def _sequence_of(last_event_id: str, *, reference: str) -> int:
    row = None
    if _REFERENCE.fullmatch(last_event_id):
        with connection.cursor() as cursor:
            cursor.execute(_SEEN, [last_event_id, reference])
            row = cursor.fetchone()
    if row is None:
        raise UnknownLastEvent(errors={"Last-Event-ID": ["There is no such event in this stream."]})
    return int(row[0])


def _present(current: Current, *, environment: str, reference: str) -> Frame:
    """Return the event that made the present state; where it is no longer kept, what it would say."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [reference, current.sequence])
        row = cursor.fetchone()
    if row is not None and row[1] == current.sequence:
        return _frame(row)
    last_event_id = str(row[2]) if row is not None else ""
    message = {
        "type": current.topic,
        "timestamp": instant(current.at),
        "id": last_event_id or None,
        "environment": environment,
        "data": current.payload,
    }
    octets = frames.event(id=last_event_id, topic=current.topic, message=render(message))
    return Frame(sequence=current.sequence, topic=current.topic, octets=octets)


def _frame(row: Sequence[Any]) -> Frame:
    _, sequence, event_id, topic, environment, recorded_at, payload = row
    head = render({"type": topic, "timestamp": instant(recorded_at), "id": event_id, "environment": environment})
    message = head[:-1] + b',"data":' + payload.encode() + b"}"  # the database writes JSON on one line
    return Frame(sequence=sequence, topic=topic, octets=frames.event(id=event_id, topic=topic, message=message))
