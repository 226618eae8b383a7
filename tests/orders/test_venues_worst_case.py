"""Both makers on the real book: whatever reservations are open, and however they end, no maker grows poorer."""

import random
from collections.abc import Callable

import pytest

from orders.models import Order, Quote
from orders.sagas import runner
from tests.orders import books
from tests.orders.bets import open_bets, text
from tests.orders.desk import Desk, reloaded
from tests.orders.wallet import declined

pytestmark = pytest.mark.usefixtures("database")


def _net(address: str, asset: str) -> int:
    row = books.balances()[address, asset]
    return row[1] - row[0]


def _pair_product() -> int:
    return _net("pools:EUR-USDT", "EUR") * _net("pools:EUR-USDT", "USDT")


def _outcome_product() -> int:
    cash = _net("pools:RAIN-2026", "EUR")
    yes, no = (cash + _net("pools:RAIN-2026", outcome) - 10**15 for outcome in ("YES", "NO"))
    assert min(yes, no) > 0, "the maker's cash covers either outcome"
    return yes * no


def _end(desk: Desk, order: Order, *, goes_well: bool) -> None:
    """Drive one order alone to its end; a buy may be declined."""
    desk.wallet.legs = {"debit": [None if goes_well else declined]}
    for _ in range(6):
        runner._step(reloaded(order))
    assert reloaded(order).state in ("processed", "failed")


def _world(desk: Desk, seed: int, quote: Callable[[random.Random], Quote], product: Callable[[], int]) -> None:
    """Rounds that begin with nothing open: three reservations upon one another, ended in any order and any way."""
    dice = random.Random(seed)
    for number in range(5):
        before = product()
        reserved = [desk.submit(quote(dice), partner_order_id=f"{seed}-{number}-{place}") for place in range(3)]
        dice.shuffle(reserved)
        for order in reserved:
            _end(desk, order, goes_well=dice.random() < 0.8)
            assert product() >= before


@pytest.mark.parametrize("seed", range(3))
def test_pair_is_no_poorer_whichever_reservations_settle(seed: int, desk: Desk) -> None:
    desk.holding("30000.00")

    def quote(dice: random.Random) -> Quote:
        amount = f"{dice.randrange(50, 2000)}.00"
        return desk.quote(amount) if dice.random() < 0.5 else desk.sell_quote(amount)

    _world(desk, seed, quote, _pair_product)


@pytest.mark.parametrize("seed", range(3))
def test_outcome_maker_is_no_poorer_whichever_reservations_settle(seed: int, desk: Desk) -> None:
    bets = open_bets(desk)
    for outcome in ("YES", "NO"):
        bets.done(outcome, "800.00")

    def quote(dice: random.Random) -> Quote:
        outcome = dice.choice(["YES", "NO"])
        if dice.random() < 0.5:
            return bets.quote(outcome, f"{dice.randrange(20, 300)}.00")
        return bets.quote(outcome, text(dice.randrange(2_000, 8_000)), side="sell")

    _world(desk, seed, quote, _outcome_product)


@pytest.mark.parametrize("outcome", ["YES", "NO"])
def test_reserved_trades_move_the_price_before_they_settle(outcome: str, desk: Desk) -> None:
    bets = open_bets(desk)
    bets.done("YES", "100.00")
    first = bets.quote(outcome, "50.00")
    desk.submit(first)
    assert bets.quote(outcome, "50.00").target_minor < first.target_minor, "dearer, though nothing has settled"
    sold = bets.quote("YES", "50.00", side="sell")
    desk.submit(sold)
    assert bets.quote("YES", "50.00", side="sell").target_minor < sold.target_minor
