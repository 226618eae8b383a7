"""The port for a question that moves nothing: at what price would a venue trade. Asked by `wallets.remote_prices` alone."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from wallets.gateway_port import GatewayConnection
from wallets.outcomes import Cause


@dataclass(frozen=True, slots=True)
class PriceQuestion:
    """What is given for what. `taken_text` is in major units with exactly the asset's scale."""

    pool: str
    side: str
    taken_asset: str
    taken_text: str
    given_asset: str
    given_scale: int


@dataclass(frozen=True, slots=True)
class Price:
    """What the venue gives, in minor units, and its own id of that offer."""

    given_minor: int
    quote_id: str


@dataclass(frozen=True, slots=True)
class PriceRefused:
    """The venue offers none. `reason` is its stable word."""

    reason: str


@dataclass(frozen=True, slots=True)
class PriceUnknown:
    """No answer that can be read. `sent` is False only when surely nothing left this house."""

    cause: Cause
    sent: bool = True
    wait: timedelta | None = None
    """Nothing was asked: after how long it may be worth asking again."""


PriceReply = Price | PriceRefused | PriceUnknown


@dataclass(frozen=True, slots=True)
class PriceHeard:
    """One exchange. `question` is the beginning of what was sent, and `excerpt` of the answer, redacted."""

    reply: PriceReply
    http_status: int | None = None
    question: str = ""
    excerpt: str = ""


class PricesTrades(Protocol):
    """Adapters of venues have this beside `ask` and `look_up`. It raises for nothing that the other side does."""

    def price(
        self, question: PriceQuestion, *, connection: GatewayConnection, request_id: str, timeout_seconds: float
    ) -> PriceHeard:
        """Ask for a price. Moves nothing; may be repeated."""
        ...
