"""The maker of a market with two outcomes, in integers: a fixed product of its reserves of both shares.

A complete set, one share of each outcome, is worth one unit of cash whatever comes true, so the maker turns cash into sets
and back. A buy turns its cash into sets, keeps the shares of the other outcome and gives those of its own, besides what the
product allows; a sell is the same turned round. Output rounds down: the maker never loses to rounding.
"""

from dataclasses import dataclass
from math import isqrt


@dataclass(frozen=True, slots=True)
class Reserves:
    """The maker's shares at their worst case for one direction, in minor units.

    `given` are those that it hands out (a buy: of the outcome bought; a sell: of the other one), `taken` those that it
    takes in. Sets in the maker's hands are what its cash can make: the cash counts on both sides.
    """

    given: int
    taken: int


def bought(*, cash: int, reserves: Reserves) -> int:
    """Return how many shares the maker gives for so much cash: 0 when it has nothing to give."""
    if cash <= 0 or reserves.given <= 0 or reserves.taken <= 0:
        return 0
    return cash + reserves.given * cash // (reserves.taken + cash)


def sold(*, shares: int, reserves: Reserves) -> int:
    """Return how much cash the maker gives for so many shares.

    It is the largest c with (taken + shares - c) * (given - c) >= taken * given.
    """
    if shares <= 0 or reserves.given <= 0 or reserves.taken <= 0:
        return 0
    whole = reserves.taken + shares + reserves.given
    square = whole * whole - 4 * shares * reserves.given
    root = isqrt(square)
    root += root * root < square  # rounded up, so that the cash is rounded down
    return max((whole - root) // 2, 0)
