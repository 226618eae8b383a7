"""What the floors above may know of an operator's gateway: its asset, limits and pause. Never its name or address."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger.controls.refusals import Refusal
from wallets.models import Gateway


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


def gateway_terms(*, operator_id: int, environment: str) -> GatewayTerms:
    """Return the terms of the operator's gateway. Raises NoGateway."""
    gateway = Gateway.objects.select_related("breaker").filter(operator_id=operator_id, environment=environment).first()
    if gateway is None:
        raise NoGateway
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
