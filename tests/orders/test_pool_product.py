"""The product of a pool's reserves never falls, whichever reservations settle or are released, in both directions."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from orders.venues import curve


@dataclass
class Side:
    """One reserve as the ledger keeps it: posted, and what open reservations will take from it or bring to it."""

    posted: int
    leaving: int = 0
    coming: int = 0


@dataclass
class ModelPool:
    cash: Side
    position: Side
    open: list[tuple[str, int, int]] = field(default_factory=list)

    def reserve(self, direction: str, taken_in: int) -> None:
        taken, given_out = self._sides(direction)
        reserves = curve.Reserves(given=given_out.posted - given_out.leaving, taken=taken.posted + taken.coming)
        output = curve.output(taken_in=taken_in, reserves=reserves)
        assert output < max(given_out.posted - given_out.leaving, 1)
        if output > 0:
            assert curve.covers(taken_in=taken_in, given_out=output, reserves=reserves)
            assert not curve.covers(taken_in=taken_in, given_out=output + 1, reserves=reserves)
            taken.coming += taken_in
            given_out.leaving += output
            self.open.append((direction, taken_in, output))

    def end(self, place: int, *, settles: bool) -> None:
        direction, taken_in, output = self.open.pop(place % len(self.open))
        taken, given_out = self._sides(direction)
        taken.coming -= taken_in
        given_out.leaving -= output
        if settles:
            taken.posted += taken_in
            given_out.posted -= output

    def product(self) -> int:
        return self.cash.posted * self.position.posted

    def _sides(self, direction: str) -> tuple[Side, Side]:
        return (self.cash, self.position) if direction == "buy" else (self.position, self.cash)


_RESERVE = st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 10**9))
_END = st.tuples(st.sampled_from(["settle", "release"]), st.integers(0, 10**6))


@settings(max_examples=400, deadline=None)
@given(
    cash=st.integers(1, 10**9),
    position=st.integers(1, 10**12),
    steps=st.lists(st.one_of(_RESERVE, _END), max_size=24),
    last=st.lists(st.booleans(), min_size=24, max_size=24),
)
def test_product_of_the_reserves_never_falls(
    cash: int, position: int, steps: list[tuple[str, int]], last: list[bool]
) -> None:
    """Any order of reservations and ends; at every moment, and however the open ones end."""
    pool = ModelPool(Side(cash), Side(position))
    first = pool.product()
    for what, number in steps:
        if what in ("buy", "sell"):
            pool.reserve(what, number)
        elif pool.open:
            pool.end(number, settles=what == "settle")
        assert pool.product() >= first
        assert min(pool.cash.posted - pool.cash.leaving, pool.position.posted - pool.position.leaving) >= 0
    for settles in last:
        if pool.open:
            pool.end(0, settles=settles)
        assert pool.product() >= first


def test_declined_sell_robs_no_pool() -> None:
    """Priced on posted reserves alone, a sell that is released after a buy was priced upon it would leave the pool poorer."""
    pool = ModelPool(Side(1_000_000), Side(1_000_000))
    pool.reserve("sell", 500_000)
    pool.reserve("buy", 500_000)
    _, _, bought = pool.open[1]
    assert bought <= 1_000_000 * 500_000 // 1_500_000
    pool.end(0, settles=False)
    pool.end(0, settles=True)
    assert pool.product() >= 10**12
