"""The venue port: what a saga asks of whatever executes its trade. Adapters are named in settings.VENUES.

An outside venue answers here only for what we know of it ourselves (a halted pool, a paused gateway). What it is asked goes
through the remote door: the legs reserve, execute and release of a trade, by the adapter that settings.GATEWAYS names.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Protocol

from ledger.controls.refusals import Refusal
from ledger.money import Money
from orders.models import Order, Pool


@dataclass(frozen=True, slots=True)
class Executed:
    """The trade stands at the quote's terms."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The trade surely did not happen and will not. `reason` is stable."""

    reason: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What an outside venue said that it gives for what, and its own id of that."""

    pool_id: int
    side: str
    taken_in: Money
    given: Money
    quote_id: str


class PriceNeeded(Exception):
    """This pool's price is an outside venue's: ask it, with no transaction open, and come again. Never leaves the house."""

    def __init__(self, *, pool: Pool, side: str, taken_in: Money, given_asset: str) -> None:
        self.pool = pool
        self.side = side
        self.taken_in = taken_in
        self.given_asset = given_asset
        super().__init__(pool.code)


class PoolUnavailable(Refusal):
    """This pool cannot be traded in at this moment; try again shortly."""

    code = "pool_unavailable"
    status = 503
    kept = False

    def __init__(self, *, wait: timedelta | None = None) -> None:
        super().__init__()
        self.retry_after = max(1, ceil((wait or timedelta()).total_seconds()))


class PriceNotOffered(Refusal):
    """This pool offers no price for this amount now."""

    code = "price_not_offered"


class PoolHalted(Refusal):
    """This pool is halted."""

    code = "pool_halted"


class SideNotOffered(Refusal):
    """This pool offers no such side."""

    code = "side_not_offered"


class MarketNotOpen(Refusal):
    """This market takes no more trades."""

    code = "market_not_open"


class MarketNotResolved(Refusal):
    """Positions of this market cannot be redeemed yet."""

    code = "market_not_resolved"


class BuiltInVenue(Protocol):
    """A venue whose reserves are balances of our ledger: priced, reserved and executed inside our transactions."""

    def price(self, *, pool: Pool, side: str, taken_in: int, position: str) -> int:
        """Return what the pool gives now for `taken_in`, in minor units (0: nothing).

        A buy takes the pool's cash asset and gives its position asset; a sell and a redemption the other way round.
        `position` is the holder's account.
        """
        ...

    def covers(self, *, pool: Pool, side: str, taken_in: int, given_out: int, position: str) -> bool:
        """Tell whether the pool still covers these terms; the caller holds the pool's lock."""
        ...

    def refusal(self, *, pool: Pool, side: str) -> Refusal | None:
        """Return why nothing of this side is offered or accepted now, whatever its amount; None when it is."""
        ...

    def failure(self, *, pool: Pool, side: str) -> str:
        """Return why an open reservation of this side would surely fail now; "" when it would not."""
        ...

    def execute(self, *, pool: Pool, order: Order) -> Executed | Refused:
        """Decide a reserved trade; the caller holds the pool's lock and posts what follows."""
        ...
