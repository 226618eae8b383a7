"""The sandbox without sockets, in the test's own time: HTTP as the test owns it, for scenarios and the simulation.

with outbound.use(SandboxTransport(fixed_clock)) as sandbox: …
"""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

from ledger.controls.clock import Clock
from wallets.models import Gateway
from wallets.sandbox.messages import Answer, Ending, Request
from wallets.sandbox.routes import Sandbox
from wallets.sandbox.store import Store
from webhooks.outbound import Broken, OutboundRequest, OutboundResponse, TimedOut


class SandboxTransport:
    """Answers every outbound request from one sandbox, kept in memory."""

    def __init__(self, clock: Clock, *, pending_seconds: float = 5, hidden_seconds: float = 5) -> None:
        self.store = Store(":memory:")
        self.sandbox = Sandbox(self.store, clock, pending_seconds=pending_seconds, hidden_seconds=hidden_seconds)

    def send(self, request: OutboundRequest) -> OutboundResponse:
        return as_sent(request, self.sandbox.answer)

    def rows(self, log: str, prefix: str = "") -> list[dict[str, object]]:
        """The rows of `operations`, `requests` or `webhooks`, in order."""
        return self.store.page(log, prefix=prefix, after=0, limit=10_000)

    def applied(self, prefix: str = "") -> list[tuple[object, object]]:
        """What really moved, in order: (operation, amount)."""
        rows = self.rows("operations", prefix)
        return [(row["operation"], row["amount"]) for row in rows if row["status"] == "confirmed"]


def as_sent(request: OutboundRequest, answer: Callable[[Request], Answer]) -> OutboundResponse:
    """Have a sandbox answer what would go over the network. Raises what the network would: Broken, TimedOut."""
    parts = urlsplit(request.url)
    headers = {name.lower(): value for name, value in request.headers.items()}
    given = answer(Request(request.method, parts.path, headers, request.body, dict(parse_qsl(parts.query))))
    if given.ending is Ending.RESET:
        raise Broken("reset")
    if given.ending is Ending.SILENCE or given.delay > request.timeout:
        raise TimedOut("silence")
    return OutboundResponse(given.status, {"content-type": given.content_type}, given.body)


def point_wallets_at_it() -> None:
    """Set every gateway as the local stack sets the one of its sandbox operator."""
    Gateway.objects.update(
        adapter="operator_wallet",
        base_url="http://127.0.0.1:8100",
        secret="whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        time_limit_ms=2_000,
        requery_backoff_ms=500,
        not_found_horizon_ms=30_000,
        pending_backoff_ms=2_000,
    )
