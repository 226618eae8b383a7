"""What the operator's wallet tells by itself: signed `operation.updated` events about what it answered *pending*."""

import asyncio
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from wallets.sandbox.clock import Clock, microseconds
from wallets.sandbox.store import Store

KIND: Final = "operation.updated"
TRIES: Final = 8
AGAIN_AFTER: Final = 1_000_000
_PAUSE_SECONDS: Final = 0.2
_TIME_LIMIT_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Message:
    """One event on its way: a POST of these bytes to this URL."""

    number: int
    tries: int
    url: str
    headers: Mapping[str, str]
    body: bytes


class Tells(Protocol):
    """Who has events to send."""

    def due(self) -> list[Message]: ...

    def told(self, message: Message, status: int | None) -> None: ...


class Messenger:
    """Knows which events are due, and writes down how they were answered. Sends nothing itself."""

    def __init__(self, store: Store, wall: Clock) -> None:
        self._store = store
        self._clock = wall

    def due(self) -> list[Message]:
        """Return the events whose time has come, signed as of now."""
        now = self._clock.now()
        with self._store.transaction():
            place = self._store.inbox()
            if place is None:
                return []
            self._store.settle_due(microseconds(now))
            found = self._store.due_news(microseconds(now))
        return [
            signed(
                one.id,
                one.tries,
                place=place,
                event_id=one.event_id,
                kind=KIND,
                told={"idempotency_key": one.key, "status": one.status},
                now=now,
            )
            for one in found
        ]

    def told(self, message: Message, status: int | None) -> None:
        """A 2xx is the end of it, and so is the last try; else it is sent again a second later."""
        taken = status is not None and 200 <= status < 300
        answered = status or 0 if taken or message.tries + 1 >= TRIES else None
        with self._store.transaction():
            again_at = microseconds(self._clock.now()) + AGAIN_AFTER
            self._store.news_told(message.number, answered=answered, again_at=again_at)


async def tell_until(stop: asyncio.Event, messenger: Tells) -> None:
    """Send what is due, one after another, until told to stop."""
    while not stop.is_set():
        for message in messenger.due():
            messenger.told(message, await asyncio.to_thread(send, message))
        try:
            await asyncio.wait_for(stop.wait(), _PAUSE_SECONDS)
        except TimeoutError:
            continue


def send(message: Message) -> int | None:
    """Send one event; return the answer's status, or None when there was none. Another party's HTTP, not the house's."""
    parts = urlsplit(message.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIME_LIMIT_SECONDS)
    try:
        connection.request("POST", parts.path, body=message.body, headers=dict(message.headers))
        return connection.getresponse().status
    except (http.client.HTTPException, OSError):
        return None
    finally:
        connection.close()


def signed(
    number: int,
    tries: int,
    *,
    place: tuple[str, str],
    event_id: str,
    kind: str,
    told: Mapping[str, object],
    now: datetime,
) -> Message:
    """Return one event, signed as of now, on its way to a URL (`place`: the URL and the secret)."""
    url, secret = place
    now = now.replace(microsecond=0)
    content = {
        "type": kind,
        "timestamp": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": dict(told),
    }
    body = json.dumps(content).encode()
    headers = {
        "content-type": "application/json",
        "user-agent": "holdfast-sandbox",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, now, body.decode()),
    }
    return Message(number, tries, url, headers, body)
