"""The constant-product curve, in integers. Output rounds down: a pool never loses to rounding."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reserves:
    """A pool's reserves at their worst case for one direction, in minor units.

    `given` is the side that the pool gives: posted less pending debits. `taken` is the side that it takes: posted plus
    pending credits, its pending debits not taken off. So the product never falls, whichever reservations settle or are
    released.
    """

    given: int
    taken: int


def output(*, taken_in: int, reserves: Reserves) -> int:
    """Return how much the pool gives for `taken_in`: 0 when it has nothing to give."""
    if taken_in <= 0 or reserves.given <= 0 or reserves.taken <= 0:
        return 0
    return reserves.given * taken_in // (reserves.taken + taken_in)


def covers(*, taken_in: int, given_out: int, reserves: Reserves) -> bool:
    """Tell whether the curve still gives at least `given_out` for `taken_in`."""
    return output(taken_in=taken_in, reserves=reserves) >= given_out
