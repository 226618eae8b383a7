"""The sandbox's venue without sockets, in the test's own time: HTTP as the test owns it.

with outbound.use(VenueTransport(fixed_clock)) as venue: …
"""

from urllib.parse import urlsplit

from django.test import Client

from ledger.controls.clock import Clock
from orders.sandbox.routes import Sandbox
from orders.sandbox.store import Store
from tests.sandbox_in_process import as_sent
from webhooks.outbound import OutboundRequest, OutboundResponse, TimedOut


class VenueTransport:
    """Answers every outbound request from one venue, kept in memory."""

    def __init__(self, clock: Clock, *, pending_seconds: float = 5, hidden_seconds: float = 5) -> None:
        self.store = Store(":memory:")
        self.sandbox = Sandbox(self.store, clock, pending_seconds=pending_seconds, hidden_seconds=hidden_seconds)
        self.down = False

    def send(self, request: OutboundRequest) -> OutboundResponse:
        if self.down:
            raise TimedOut("down")
        return as_sent(request, self.sandbox.answer)

    def rows(self, log: str, prefix: str = "") -> list[dict[str, object]]:
        """The rows of `quotes`, `trades`, `operations`, `requests` or `news`, in order."""
        return self.store.page(log, prefix=prefix, after=0, limit=10_000)

    def trades(self) -> list[object]:
        """What the venue believes of each trade, in order."""
        with self.store.transaction():
            self.sandbox.venue.settle_due()
        return [row["state"] for row in self.rows("trades")]

    def asked(self) -> list[str]:
        """The questions in order as short words: `reserve confirmed`, `lookup not_found`, `quotes priced`, …"""
        return [
            f"{'lookup' if row['method'] == 'GET' else str(row['path']).strip('/')} {row['did']}"
            for row in self.rows("requests")
        ]

    def deliver(self) -> list[int]:
        """Send the due events to the inbox, as the venue's process would; return how they were answered."""
        answered = []
        for message in self.sandbox.messenger.due():
            path = urlsplit(message.url).path
            answer = Client().post(path, message.body, content_type="application/json", headers=dict(message.headers))
            self.sandbox.messenger.told(message, answer.status_code)
            answered.append(answer.status_code)
        return answered
