"""Two crashes in one life of a buy: one worker dies, the one that takes over dies too, a third goes on.

Each first point meets a second one, spread evenly over all; and after the earliest death each side of each question is met.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest
from django.db import DatabaseError, connection

from orders.models import Order, Pool
from orders.operations.submit_order import DuplicatePartnerOrder
from tests.flush import Flush
from tests.orders import books
from tests.orders.desk import Desk, open_desk, trade_of
from tests.orders.test_crashes import Killed, Killer, killing
from tests.orders.test_venue_crashes import COURSES, assert_money_and_trade_agree, lived
from tests.orders.wallet import lost_after

pytestmark = pytest.mark.usefixtures("database")

_STEP = 7
"""Prime to the number of points, so that the second points spread over all of them."""


def pairs(points: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield (first, second): a second point for every first one, and the questions' sides for the first of all."""
    for first in range(len(points)):
        yield first, first * _STEP % len(points)
    for second, point in enumerate(points):
        if "ask" in point or "lookup" in point:
            yield 0, second


def _buy(desk: Desk, killers: list[Killer], monkeypatch: pytest.MonkeyPatch) -> Order:
    desk.wallet.legs = {"debit": [lost_after, None]}
    desk.wallet.calls.clear()
    desk.wallet.applied.clear()
    Pool.objects.update(quote_lifetime_ms=600_000)  # two dead processes cost more time than a quote lasts
    quote = desk.quote("100.00")
    for killer in killers:
        try:
            with killing(killer, desk.wallet, monkeypatch):
                _go_on(desk, quote)
            break
        except (Killed, DatabaseError):
            assert killer.dead
            connection.close()
            desk.later(seconds=35)
    _go_on(desk, quote)
    return Order.objects.get()


def _go_on(desk: Desk, quote: object) -> None:
    with suppress(DuplicatePartnerOrder):
        desk.submit(quote, partner_order_id="shop-1")  # type: ignore[arg-type]  # a Quote
    for _ in range(15):
        desk.drive(passes=1)
        if Order.objects.get().state in ("processed", "failed", "compensated", "manual_review"):
            return


def test_buy_is_whole_when_two_processes_die_one_after_the_other(
    desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a debit whose answer is lost and which a lookup finds: the longest way to the end."""
    scout = Killer(at=None)
    _buy(desk, [scout], monkeypatch)
    undisturbed = books.balances()
    seconds: Counter[str] = Counter()
    for first, second in pairs(scout.points):
        flush()
        desk = open_desk(desk.wallet, desk.clock)
        killers = [Killer(at=first), Killer(at=second)]
        order = _buy(desk, killers, monkeypatch)
        place = (scout.points[first], first, second)
        asks = Counter(key for kind, key in desk.wallet.calls if kind == "ask")
        assert set(asks.values()) <= {1}, place
        assert killers[0].dead, place
        if killers[1].dead:
            seconds[killers[1].points[-1]] += 1
        if order.state == "processed":
            assert books.balances() == undisturbed, place
            assert trade_of(order).state == "settled"
        else:
            assert (order.state, order.status_reason) == ("manual_review", "debit_unknown"), place
            assert trade_of(order).state == "reserved", place
            assert not desk.wallet.applied or books.moved(order.reference).total() == 0, place
    assert seconds.total() >= 10, seconds
    assert {"before ask", "after ask", "before commit", "after commit"} <= set(seconds)


def test_buy_at_a_venue_agrees_with_it_when_two_processes_die_one_after_the_other(
    desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = COURSES["reserved, debited, executed"]
    scout = Killer(at=None)
    lived(course, [scout], desk, monkeypatch)
    for first, second in list(pairs(scout.points))[3:]:
        flush()
        desk = open_desk(desk.wallet, desk.clock)
        killers = [Killer(at=first), Killer(at=second)]
        reference = lived(course, killers, desk, monkeypatch)
        assert_money_and_trade_agree(desk, reference, (scout.points[first], first, second))
