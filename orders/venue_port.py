"""The venue port: what a saga asks of whatever executes its trade. Adapters are named in settings.VENUES."""

from dataclasses import dataclass
from typing import Protocol

from orders.models import Order, Pool


@dataclass(frozen=True, slots=True)
class Executed:
    """The trade stands at the quote's terms."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The trade surely did not happen and will not. `reason` is stable."""

    reason: str


class BuiltInVenue(Protocol):
    """A venue whose reserves are balances of our ledger: priced, reserved and executed inside our transactions."""

    def price(self, *, pool: Pool, side: str, taken_in: int) -> int:
        """Return what the pool gives now for `taken_in`, in minor units (0: nothing).

        A buy takes the pool's cash asset and gives its position asset; a sell the other way round.
        """
        ...

    def covers(self, *, pool: Pool, side: str, taken_in: int, given_out: int) -> bool:
        """Tell whether the curve still covers these terms; the caller holds the pool's lock."""
        ...

    def execute(self, *, pool: Pool, order: Order) -> Executed | Refused:
        """Decide a reserved trade; the caller holds the pool's lock and posts what follows."""
        ...
