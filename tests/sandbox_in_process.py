"""The sandbox without sockets, in the test's own time: HTTP as the test owns it, for scenarios and the simulation.

with outbound.use(SandboxTransport(fixed_clock)) as sandbox: …
"""

from urllib.parse import parse_qsl, urlsplit

from ledger.controls.clock import Clock
from wallets.sandbox.messages import Ending, Request
from wallets.sandbox.routes import Sandbox
from wallets.sandbox.store import Store
from webhooks.outbound import Broken, OutboundRequest, OutboundResponse, TimedOut


class SandboxTransport:
    """Answers every outbound request from one sandbox, kept in memory."""

    def __init__(self, clock: Clock, *, pending_seconds: float = 5, hidden_seconds: float = 5) -> None:
        self.store = Store(":memory:")
        self.sandbox = Sandbox(self.store, clock, pending_seconds=pending_seconds, hidden_seconds=hidden_seconds)

    def send(self, request: OutboundRequest) -> OutboundResponse:
        parts = urlsplit(request.url)
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Request(request.method, parts.path, headers, request.body, dict(parse_qsl(parts.query)))
        answer = self.sandbox.answer(asked)
        if answer.ending is Ending.RESET:
            raise Broken("reset")
        if answer.ending is Ending.SILENCE or answer.delay > request.timeout:
            raise TimedOut("silence")
        return OutboundResponse(answer.status, {"content-type": answer.content_type}, answer.body)

    def rows(self, log: str, prefix: str = "") -> list[dict[str, object]]:
        """The rows of `operations`, `requests` or `webhooks`, in order."""
        return self.store.page(log, prefix=prefix, after=0, limit=10_000)

    def applied(self, prefix: str = "") -> list[tuple[object, object]]:
        """What really moved, in order: (operation, amount)."""
        rows = self.rows("operations", prefix)
        return [(row["operation"], row["amount"]) for row in rows if row["status"] == "confirmed"]
