"""What the adapter's tests ask, and of whom."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ledger.controls import clock
from wallets.gateway_adapters import adapter
from wallets.gateway_port import GatewayConnection, RemoteRequest, Reply
from webhooks import outbound

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

REQUEST = RemoteRequest(
    key="ord_1:debit:v1",
    leg="debit",
    asset="EUR",
    amount_minor=10_000,
    amount_text="100.00",
    user_reference="alice",
    owner="ord_1",
    metadata={"partner_order_id": "p-1"},
)


def request_of(user_reference: str, *, leg: str = "debit") -> RemoteRequest:
    return replace(REQUEST, user_reference=user_reference, leg=leg, key=f"ord_1:{leg}:v1")


def ask(
    request: RemoteRequest, url: str, *, environment: str = "test", seconds: float = 2, not_after: float | None = None
) -> Reply:
    """Ask through the adapter that the settings name. `not_after` is in seconds from now."""
    now = datetime.now(UTC)
    with clock.use(clock.FixedClock(now)):
        return adapter("operator_wallet").ask(
            request,
            connection=GatewayConnection(url, SECRET, environment),
            request_id="req_1",
            not_after=now + timedelta(seconds=seconds if not_after is None else not_after),
            timeout_seconds=seconds,
        )


def look_up(request: RemoteRequest, url: str, *, environment: str = "test", seconds: float = 2) -> Reply:
    with clock.use(clock.FixedClock(datetime.now(UTC))):
        return adapter("operator_wallet").look_up(
            request,
            connection=GatewayConnection(url, SECRET, environment),
            request_id="req_2",
            timeout_seconds=seconds,
        )


class OwnedTransport:
    """HTTP as the test owns it: one answer, or one way to fail, for every request."""

    def __init__(self, act: Callable[[], outbound.OutboundResponse]) -> None:
        self._act = act
        self.sent: list[outbound.OutboundRequest] = []

    def send(self, request: outbound.OutboundRequest) -> outbound.OutboundResponse:
        self.sent.append(request)
        return self._act()
