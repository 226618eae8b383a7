"""The maker of outcome markets never loses: its product never falls, and its cash covers whatever comes true."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from orders.venues import outcome_curve
from orders.venues.outcome_curve import Reserves

_OTHER = {"YES": "NO", "NO": "YES"}


@dataclass
class Cash:
    posted: int
    leaving: int = 0
    coming: int = 0


@dataclass
class Maker:
    """Cash, and the shares in others' hands (`out`), with what open reservations will change of both."""

    cash: Cash
    out: dict[str, Cash] = field(default_factory=lambda: {"YES": Cash(0), "NO": Cash(0)})
    open: list[tuple[str, str, int, int]] = field(default_factory=list)

    def lowest(self, outcome: str) -> int:
        return self.cash.posted - self.cash.leaving - self.out[outcome].posted - self.out[outcome].coming

    def highest(self, outcome: str) -> int:
        return self.cash.posted + self.cash.coming - self.out[outcome].posted + self.out[outcome].leaving

    def buy(self, outcome: str, cash: int) -> None:
        shares = outcome_curve.bought(
            cash=cash, reserves=Reserves(given=self.lowest(outcome), taken=self.highest(_OTHER[outcome]))
        )
        if shares:
            self.cash.coming += cash
            self.out[outcome].coming += shares
            self.open.append(("buy", outcome, cash, shares))

    def sell(self, outcome: str, part: int) -> None:
        held = self.out[outcome].posted - self.out[outcome].leaving
        shares = held * part // 1000
        reserves = Reserves(given=self.lowest(_OTHER[outcome]), taken=self.highest(outcome))
        cash = outcome_curve.sold(shares=shares, reserves=reserves)
        if cash:
            _assert_largest(cash, shares, reserves)
            self.cash.leaving += cash
            self.out[outcome].leaving += shares
            self.open.append(("sell", outcome, cash, shares))

    def end(self, place: int, *, settles: bool) -> None:
        what, outcome, cash, shares = self.open.pop(place % len(self.open))
        out = self.out[outcome]
        if what == "buy":
            self.cash.coming -= cash
            out.coming -= shares
            if settles:
                self.cash.posted += cash
                out.posted += shares
        else:
            self.cash.leaving -= cash
            out.leaving -= shares
            if settles:
                self.cash.posted -= cash
                out.posted -= shares

    def product(self) -> int:
        reserves = [self.cash.posted - out.posted for out in self.out.values()]
        assert min(reserves) > 0, "cash covers each outcome"
        return reserves[0] * reserves[1]


def _assert_largest(cash: int, shares: int, reserves: Reserves) -> None:
    """One more unit would let the product fall."""

    def after(paid: int) -> int:
        return (reserves.taken + shares - paid) * (reserves.given - paid)

    assert cash <= shares, "a share is never worth more than one"
    assert after(cash) >= reserves.taken * reserves.given > after(cash + 1)


_BUY = st.tuples(st.sampled_from(["buy YES", "buy NO"]), st.integers(1, 10**9))
_SELL = st.tuples(st.sampled_from(["sell YES", "sell NO"]), st.integers(1, 1000))
_END = st.tuples(st.sampled_from(["settle", "release"]), st.integers(0, 10**6))


@settings(max_examples=400, deadline=None)
@given(
    funding=st.integers(1, 10**9),
    steps=st.lists(st.one_of(_BUY, _SELL, _END), max_size=24),
    last=st.lists(st.booleans(), min_size=24, max_size=24),
)
def test_maker_never_loses_whichever_reservations_settle(
    funding: int, steps: list[tuple[str, int]], last: list[bool]
) -> None:
    maker = Maker(Cash(funding))
    first = maker.product()
    for what, number in steps:
        match what.split():
            case ["buy", outcome]:
                maker.buy(outcome, number)
            case ["sell", outcome]:
                maker.sell(outcome, number)
            case _ if maker.open:
                maker.end(number, settles=what == "settle")
        assert maker.product() >= first
    for settles in last:
        if maker.open:
            maker.end(0, settles=settles)
        assert maker.product() >= first


def test_nothing_is_given_for_nothing_or_by_an_empty_maker() -> None:
    assert outcome_curve.bought(cash=0, reserves=Reserves(10, 10)) == 0
    assert outcome_curve.sold(shares=0, reserves=Reserves(10, 10)) == 0
    assert outcome_curve.bought(cash=10, reserves=Reserves(0, 10)) == 0
    assert outcome_curve.sold(shares=10, reserves=Reserves(-1, 10)) == 0
