"""Who listens to what: floors above register here, in `AppConfig.ready()`, and are called by the relay and the inbox.

A listener runs in the relay's transaction, in sequence per aggregate, and is local: it writes rows and rings bells,
never talks to the outside. What it raises holds back its aggregate alone, and is tried again.

A handler judges inbound events of a kind, in the inbox worker's transaction, and is local too: it loads what the event
names, compares, and applies only a legal forward move (0Pools, steps 3 to 5). What it raises parks its event.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ledger.controls.events import Payload
from webhooks.message_paths import text_at


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


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A verified event of a provider. `content` is its body as JSON: what the provider says, which is not yet so.

    `places` are the paths that the provider's mapping gives for what a handler reads, by the handler's names.
    """

    reference: str
    provider_id: int
    provider: str
    environment: str
    operator_id: int | None
    kind: str
    subjects: tuple[str, ...]
    transaction: str
    content: object
    request_id: str
    received_at: datetime
    places: Mapping[str, str] = field(default_factory=dict)

    def text_at(self, name: str, *, default: str) -> str:
        """Return the text at the provider's place for a name, or at the default one; "" where there is none."""
        return text_at(self.content, self.places.get(name, default))


@dataclass(frozen=True, slots=True)
class Applied:
    """It moved something, or made us look. `reason` says what, for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """It is stale, repeated, illegal from where we are, or about nothing of ours; it never will be of use."""

    reason: str


@dataclass(frozen=True, slots=True)
class Parked:
    """Not now: it came before our own commit, or something holds it up. Tried again later.

    One that does not count towards the cap waits as long as it takes: for people who hold an order, say. What the handler
    did is undone; `meanwhile` is done in its place, in the same transaction, each time that the event is parked.
    """

    reason: str
    counts: bool = True
    meanwhile: Callable[[], None] | None = None


Judgement = Applied | Ignored | Parked
Listener = Callable[[RelayedEvent], None]
Handler = Callable[[InboundMessage], Judgement]

_listeners: dict[str, list[Listener]] = {}
_handlers: dict[str, Handler] = {}


def handle(kind: str, handler: Handler) -> None:
    """Have a handler judge every inbound event of a kind (`operation.updated`); one handler a kind."""
    _handlers[kind] = handler


def unhandle(kind: str) -> None:
    """Take a kind's handler away. For tests."""
    _handlers.pop(kind, None)


def handler_of(kind: str) -> Handler | None:
    return _handlers.get(kind)


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
