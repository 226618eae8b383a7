"""Who listens to what: floors above register here, in `AppConfig.ready()`, and are called by the relay.

A listener runs in the relay's transaction, in sequence per aggregate, and is local: it writes rows and rings bells,
never talks to the outside. What it raises holds back its aggregate alone, and is tried again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger.controls.events import Payload


@dataclass(frozen=True, slots=True)
class RelayedEvent:
    """An event on its way through the relay, public or internal."""

    id: int
    reference: str
    environment: str
    operator_id: int | None
    topic: str
    aggregate: str
    sequence: int
    payload: Payload
    request_id: str
    recorded_at: datetime


Listener = Callable[[RelayedEvent], None]

_listeners: dict[str, list[Listener]] = {}


def listen(topic: str, listener: Listener) -> None:
    """Have a listener called with each event of a topic (`order.processed`) or a family (`order.*`)."""
    listeners = _listeners.setdefault(topic, [])
    if listener not in listeners:
        listeners.append(listener)


def silence(topic: str, listener: Listener) -> None:
    """Take a listener away. For tests."""
    _listeners[topic].remove(listener)
    if not _listeners[topic]:
        del _listeners[topic]


def topics() -> list[str]:
    """Return the topics and families that somebody listens to."""
    return sorted(_listeners)


def listeners_of(topic: str) -> Iterator[Listener]:
    yield from _listeners.get(topic, ())
    yield from _listeners.get(f"{topic.partition('.')[0]}.*", ())


def from_row(row: dict[str, Any]) -> RelayedEvent:
    """Return the event of a row of the event table, as JSON gives it."""
    return RelayedEvent(
        id=row["id"],
        reference=row["reference"],
        environment=row["environment"],
        operator_id=row["operator_id"],
        topic=row["topic"],
        aggregate=row["aggregate"],
        sequence=row["sequence"],
        payload=row["payload"],
        request_id=row["request_id"],
        recorded_at=datetime.fromisoformat(row["recorded_at"]),
    )
