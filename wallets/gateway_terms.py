"""What the floors above may know of an operator's gateway: its asset, limits and pause. Never its name or address."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from ledger.controls import prepared
from ledger.controls.refusals import Refusal
from wallets.models import Gateway, Operator

WALLET: Final = "wallet"
"""The channel of an operator's own wallet service; the others pay out."""


class NoGateway(Refusal):
    """No wallet is connected for this operator in this environment."""

    code = "wallet_not_connected"
    status = 422


@dataclass(frozen=True, slots=True)
class GatewayTerms:
    gateway_id: int
    wallet_asset: str
    execute_within: timedelta
    paused_until: datetime | None
    circuit_open: bool = False

    def paused(self, now: datetime) -> bool:
        return self.paused_until is not None and now < self.paused_until


class NoChannel(Refusal):
    """No payments go out through this channel."""

    code = "channel_not_connected"
    status = 422


_TERMS: Final = """
SELECT g.id, g.wallet_asset, g.execute_within_ms, g.paused_until, b.open_until IS NOT NULL
FROM wallets_gateway AS g LEFT JOIN wallets_breaker AS b ON b.gateway_id = g.id
WHERE g.operator_id = %s AND g.environment = %s AND g.channel = %s
"""


def gateway_terms(*, operator_id: int, environment: str) -> GatewayTerms:
    """Return the terms of the operator's wallet service. Raises NoGateway. Every quote, order and step asks for them."""
    found = prepared.rows(_TERMS, [operator_id, environment, WALLET])
    if not found:
        raise NoGateway
    ((gateway_id, asset, execute_within_ms, paused_until, circuit_open),) = found
    return GatewayTerms(gateway_id, asset, timedelta(milliseconds=execute_within_ms), paused_until, circuit_open)


def channel_terms(*, operator_id: int, environment: str, channel: str) -> GatewayTerms:
    """Return the terms of a payout channel: the operator's own door, else the house's. Raises NoChannel."""
    doors = _connected(environment, channel)
    own = doors.filter(operator_id=operator_id).first()
    gateway = own or doors.filter(operator__kind=Operator.Kind.HOUSE).order_by("pk").first()
    if gateway is None or channel == WALLET:
        raise NoChannel
    return _terms(gateway)


def _connected(environment: str, channel: str) -> "QuerySet[Gateway]":
    return Gateway.objects.select_related("breaker").filter(environment=environment, channel=channel)


def _terms(gateway: Gateway) -> GatewayTerms:
    return GatewayTerms(
        gateway_id=gateway.pk,
        wallet_asset=gateway.wallet_asset,
        execute_within=timedelta(milliseconds=gateway.execute_within_ms),
        paused_until=gateway.paused_until,
        circuit_open=_circuit_open(gateway),
    )


def _circuit_open(gateway: Gateway) -> bool:
    breaker = getattr(gateway, "breaker", None)  # none before the first question
    return breaker is not None and breaker.open_until is not None
