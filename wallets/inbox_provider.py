"""Each door to money held elsewhere is a provider of inbound events.

An operator's wallet service sends `operation.updated`, a payout channel `payout.updated` and `payout.returned`.
"""

from datetime import datetime
from typing import Final

from wallets.gateway_terms import WALLET
from wallets.models import Gateway
from webhooks import providers

KIND: Final = "operation.updated"
"""`data.idempotency_key` is the key that we sent, `data.status` what the wallet says of it: evidence, not truth."""
_PAYMENTS: Final = ("payout.updated", "payout.returned")


def code_of(gateway: Gateway) -> str:
    """Return the provider's code of a gateway: its path is /v1/inbox/{code}."""
    return f"{gateway.operator.slug}-{gateway.channel}-{gateway.environment}"


def ensure(gateway: Gateway, *, now: datetime) -> providers.Made | None:
    """Create the gateway's provider, with a secret of its own, in the caller's transaction; None if it is there.

    The secret is not the one that signs our questions: what we send must not be good for sending to us.
    """
    if providers.exists(code_of(gateway)):
        return None
    return providers.create(
        code=code_of(gateway),
        environment=gateway.environment,
        operator_id=gateway.operator_id,
        terms=providers.Terms(
            scheme=providers.Scheme.STANDARD,
            kind="type",
            subjects=("data.idempotency_key",),
            kinds=(KIND,) if gateway.channel == WALLET else _PAYMENTS,
            transaction="" if gateway.channel == WALLET else "data.return_id",
            size_limit=16_384,
        ),
        now=now,
    )
