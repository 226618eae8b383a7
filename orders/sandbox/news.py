"""What the venue tells by itself: signed `trade.*` events, to the inbox of the trade's pool, until they are answered 2xx."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook

from orders.sandbox.records import Event
from orders.sandbox.store import Store
from orders.sandbox.venue import Venue
from wallets.sandbox.clock import Clock, microseconds
from wallets.sandbox.news import Message, send

_TRIES: Final = 8
_AGAIN_AFTER: Final = 1_000_000
_PAUSE_SECONDS: Final = 0.2


class Messenger:
    """Knows which events are due, and writes down how they were answered. Sends nothing itself."""

    def __init__(self, store: Store, venue: Venue, wall: Clock) -> None:
        self._store = store
        self._venue = venue
        self._clock = wall

    def due(self) -> list[Message]:
        """Return the events whose time has come, signed as of now."""
        now = self._clock.now()
        with self._store.transaction():
            self._venue.settle_due()
            found = [(event, self._store.inbox(event.pool)) for event in self._store.due_news(microseconds(now))]
        return [_message(event, *place, now=now.replace(microsecond=0)) for event, place in found if place is not None]

    def told(self, message: Message, status: int | None) -> None:
        """A 2xx is the end of it, and so is the last try; else it is sent again a second later."""
        taken = status is not None and 200 <= status < 300
        answered = status or 0 if taken or message.tries + 1 >= _TRIES else None
        with self._store.transaction():
            again_at = microseconds(self._clock.now()) + _AGAIN_AFTER
            self._store.news_told(message.number, answered=answered, again_at=again_at)


async def tell_until(stop: asyncio.Event, messenger: Messenger) -> None:
    """Send what is due, one after another, until told to stop."""
    while not stop.is_set():
        for message in messenger.due():
            messenger.told(message, await asyncio.to_thread(send, message))
        try:
            await asyncio.wait_for(stop.wait(), _PAUSE_SECONDS)
        except TimeoutError:
            continue


def _message(event: Event, url: str, secret: str, *, now: datetime) -> Message:
    content = {
        "type": f"trade.{event.status}",
        "timestamp": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {"transact_id": event.transact_id, "quote_id": event.quote_id, "status": event.status},
    }
    body = json.dumps(content).encode()
    headers = {
        "content-type": "application/json",
        "user-agent": "holdfast-sandbox-venue",
        "webhook-id": event.event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(event.event_id, now, body.decode()),
    }
    return Message(event.id, event.tries, url, headers, body)
