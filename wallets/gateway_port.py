"""The port towards money held elsewhere: what is asked of a gateway, and what came of it.

Adapters live in `wallets/gateways/` and are named in the setting GATEWAYS; `wallets.remote_operations` is
their only caller, but for the recipient query of a payout channel (`wallets.recipient_queries`), which moves nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from wallets.outcomes import Cause, Outcome

EXCERPT_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class GatewayConnection:
    """Where one operator's gateway answers, and the secret (`whsec_…`) that signs what it is asked."""

    base_url: str
    secret: str = field(repr=False)
    environment: str


@dataclass(frozen=True, slots=True)
class RemoteRequest:
    """One remote mutation. `amount_text` is `amount_minor` in major units with exactly the asset's scale.

    `details` is what else a channel is told: the recipient of a payout.
    """

    key: str
    leg: str
    asset: str
    amount_minor: int
    amount_text: str
    user_reference: str
    owner: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class RecipientQuery:
    """Who would be paid? `reference` is the intent's; `amount_text` is in major units; `details` name the recipient."""

    reference: str
    asset: str
    amount_minor: int
    amount_text: str
    scale: int
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Payable:
    """The channel knows the recipient. The network's fee is in minor units of the query's asset."""

    lookup_ref: str
    receiver_name: str
    network_fee_minor: int = 0


@dataclass(frozen=True, slots=True)
class NotPayable:
    """The channel says that there is no such recipient. `reason` is its stable word."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The channel did not answer, or nothing that can be read. Nothing moved: the question may be repeated.

    `sent` is False only when surely nothing left this house.
    """

    cause: Cause
    sent: bool = True
    wait: timedelta | None = None
    """Nothing was asked: after how long it may be worth asking again."""


RecipientAnswer = Payable | NotPayable | Unanswered


@dataclass(frozen=True, slots=True)
class RecipientHeard:
    """One exchange. `question` is the beginning of what was sent, and `excerpt` of the answer, redacted."""

    answer: RecipientAnswer
    http_status: int | None = None
    question: str = ""
    excerpt: str = ""


class PayoutChannel(WalletGateway, Protocol):
    """A gateway that pays to recipients outside: leg `submit`, and the question who they are."""

    knows_recipients: bool
    """False: the channel tells nothing beforehand; `query` sends nothing, and the recipient is who the caller names."""

    def query(
        self, query: RecipientQuery, *, connection: GatewayConnection, request_id: str, timeout_seconds: float
    ) -> RecipientHeard:
        """Ask the channel who would be paid. Moves nothing; may be repeated."""
        ...
