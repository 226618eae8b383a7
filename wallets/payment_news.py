"""What we know of a payment that a bank tells us about: read for the floor that owns its saga."""

from ledger.controls import clock
from wallets.models import Gateway, RemoteOperation
from wallets.operation_news import Known, known_of


def known_under(key: str, *, provider_operator: int | None, environment: str) -> Known | None:
    """Return a payment by its key, or None: one through another's channel is none, nor is one not committed yet.

    The provider is the channel's, the house's perhaps; the payment is the operator's whose wallet pays.
    """
    operation = RemoteOperation.objects.filter(key=key, environment=environment).first()
    if operation is None or provider_operator is None:
        return None
    if not Gateway.objects.filter(pk=operation.gateway_id, operator_id=provider_operator).exists():
        return None
    return known_of(operation, now=clock.now())
