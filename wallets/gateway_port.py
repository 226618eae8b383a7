"""The port towards money held elsewhere: what is asked of a gateway, and what came of it.

Adapters live in `wallets/gateways/` and are named in the setting GATEWAYS; `wallets.remote_operations` is
their only caller.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from wallets.outcomes import Outcome

EXCERPT_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class GatewayConnection:
    """Where one operator's gateway answers, and the secret (`whsec_…`) that signs what it is asked."""

    base_url: str
    secret: str = field(repr=False)
    environment: str


@dataclass(frozen=True, slots=True)
class RemoteRequest:
    """One remote mutation. `amount_text` is `amount_minor` in major units with exactly the asset's scale."""

    key: str
    leg: str
    asset: str
    amount_minor: int
    amount_text: str
    user_reference: str
    owner: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What one question came to.

    `sent` is False only when surely no byte of the request left this house. `absent` is True when a lookup
    was told, in the protocol's own words, that the key is not known; the outcome is then Unknown(NOT_FOUND),
    and whether that proves anything depends on the horizon. `question` is the beginning of what was sent, and
    `excerpt` of the answer, redacted.
    """

    outcome: Outcome
    http_status: int | None = None
    excerpt: str = ""
    sent: bool = True
    absent: bool = False
    question: str = ""


class WalletGateway(Protocol):
    """Asks, and asks what became of it. Neither method raises for anything that the other side or the
    network does: every failure is an Outcome."""

    def ask(
        self,
        request: RemoteRequest,
        *,
        connection: GatewayConnection,
        request_id: str,
        not_after: datetime,
        timeout_seconds: float,
    ) -> Reply:
        """Ask for the mutation, once. The other side refuses to apply it later than `not_after`."""
        ...

    def look_up(
        self,
        request: RemoteRequest,
        *,
        connection: GatewayConnection,
        request_id: str,
        timeout_seconds: float,
    ) -> Reply:
        """Ask what became of the mutation. Moves nothing; may be repeated."""
        ...
