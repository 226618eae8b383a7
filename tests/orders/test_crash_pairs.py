"""Two crashes in one life of a buy: one worker dies, the one that takes over dies too, a third goes on.

Every pair of points of every course of a buy, at our own pools and at an outside venue. A pair is a first point, and a second
one counted from when the next process took over, up to where that one lives on. All of them take hours of one core
(`make crash-pairs`), so that each falls into one of 300 shares by its number: a run of CI meets one share, another commit
another one, and all the shares are every pair. `make crash-pairs SHARE=17/300` meets that one again.
"""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from django.db import DatabaseError, connection

from orders.models import Order, Pool, ReviewCase
from orders.operations.submit_order import DuplicatePartnerOrder
from tests.flush import Flush
from tests.orders import books
from tests.orders.desk import Desk, trade_of
from tests.orders.test_crashes import COURSES as BUYS
from tests.orders.test_crashes import Course, Ends, Killed, Killer, killing, reviewed_with_books_unchanged
from tests.orders.test_venue_crashes import COURSES as AT_VENUES
from tests.orders.test_venue_crashes import assert_money_and_trade_agree, lived

pytestmark = pytest.mark.usefixtures("database")

SHARES: Final = 300
BUYS_AT_VENUES: Final = {name: course for name, course in AT_VENUES.items() if course.side == "buy"}
NAMES: Final = (*BUYS, *BUYS_AT_VENUES)

_MORE: Final = 20
"""So many points more than an undisturbed life the second process may pass before it can die."""


def share() -> tuple[int, int]:
    """Return which share of how many is met: CRASH_PAIRS, as in 17/300, or the one that falls to this commit."""
    if wanted := os.environ.get("CRASH_PAIRS", ""):
        number, _, of = wanted.partition("/")
        return int(number), int(of)
    asked = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=8", "HEAD"]
    with suppress(OSError, subprocess.CalledProcessError):
        found = subprocess.run(asked, capture_output=True, check=True, text=True, timeout=10).stdout
        return int(found, 16) % SHARES, SHARES
    return 0, SHARES


def seconds(name: str, first: int, points: int) -> Iterator[int]:
    """Yield the second points of this share that a first point of a course meets."""
    number, of = share()
    begin = NAMES.index(name) * 29 + first * 17
    return (second for second in range(points + _MORE) if (begin + second) % of == number)


def pairs(name: str, scout: Killer) -> Iterator[tuple[list[Killer], object]]:
    """Yield two killers, and their place in words; once the second one survives, that first point has no more pairs."""
    whole = share()[1] == 1
    for first, point in enumerate(scout.points):
        for second in seconds(name, first, len(scout.points)):
            killers = [Killer(at=first), Killer(at=second)]
            place = (name, first, point, second, f"share {share()[0]}/{share()[1]}")
            yield killers, place
            assert killers[0].dead, place
            if not killers[1].dead:
                break
        else:
            assert not whole, f"{name}: there are more second points after {first} {point}"


class _Opened:
    """A desk as it was opened, brought back for each pair: opening another takes longer."""

    def __init__(self, desk: Desk, flush: Flush) -> None:
        self._flush, self._clock = flush, desk.clock
        self._tables, self._instant = flush.keep(), desk.clock.now()

    def bring_back(self) -> None:
        self._flush.bring_back(self._tables)
        self._clock._instant = self._instant  # a clock of a world goes forward only; this is that world's past


def _life(course: Course, killers: Sequence[Killer], desk: Desk, monkeypatch: pytest.MonkeyPatch) -> tuple[Order, Ends]:
    """Submit and drive; each killer kills one process, and after its leases have run out another goes on."""
    desk.wallet.legs = {"debit": list(course.debit), "reverse": list(course.reverse)}
    desk.wallet.calls.clear()
    desk.wallet.applied.clear()
    desk.wallet.refused.clear()
    Pool.objects.update(quote_lifetime_ms=600_000)  # two dead processes cost more time than a quote lasts
    quote = desk.quote("100.00", user=course.user)
    for killer in killers:
        try:
            with killing(killer, desk.wallet, monkeypatch):
                _go_on(desk, quote)
            break
        except (Killed, DatabaseError):  # Django's own clean-up meets a closed connection
            assert killer.dead
            connection.close()
            desk.later(seconds=35)
    _go_on(desk, quote)
    order, case = Order.objects.get(), ReviewCase.objects.first()
    return order, (
        f"{order.state} {order.status_reason} {trade_of(order).state} {case.reason if case else ''}",
        books.lines(),
        books.balances(),
        books.path(order.reference),
        books.topics(order.reference),
    )


def _go_on(desk: Desk, quote: object) -> None:
    with suppress(DuplicatePartnerOrder):
        desk.submit(quote, partner_order_id="shop-1")  # type: ignore[arg-type]  # a Quote
    for _ in range(15):
        desk.drive(passes=1)
        if Order.objects.get().state in ("processed", "failed", "compensated", "manual_review"):
            return


@pytest.mark.parametrize("name", BUYS)
def test_buy_is_whole_when_two_processes_die_one_after_the_other(
    name: str, desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = BUYS[name]
    opened = _Opened(desk, flush)
    scout = Killer(at=None)
    order, undisturbed = _life(course, [scout], desk, monkeypatch)
    assert order.state == course.ends_in
    for killers, place in pairs(name, scout):
        opened.bring_back()
        order, ended = _life(course, killers, desk, monkeypatch)
        asks = Counter(key for kind, key in desk.wallet.calls if kind == "ask")
        assert set(asks.values()) <= {1}, (place, asks)
        if ended[0] == undisturbed[0]:
            assert ended == undisturbed, place
        else:
            reviewed_with_books_unchanged(order, undisturbed, desk, place)


@pytest.mark.parametrize("name", BUYS_AT_VENUES)
def test_buy_at_a_venue_agrees_with_it_when_two_processes_die_one_after_the_other(
    name: str, desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = BUYS_AT_VENUES[name]
    opened = _Opened(desk, flush)
    scout = Killer(at=None)
    reference = lived(course, [scout], desk, monkeypatch)
    assert Order.objects.get(reference=reference).state == course.ends_in
    for killers, place in pairs(name, scout):
        opened.bring_back()
        reference = lived(course, killers, desk, monkeypatch)
        assert_money_and_trade_agree(desk, reference, place)


def test_the_shares_are_every_pair_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And each meets each course, so that no run of CI leaves one out."""
    points = 20
    met: Counter[tuple[str, int, int]] = Counter()
    for number in range(SHARES):
        monkeypatch.setenv("CRASH_PAIRS", f"{number}/{SHARES}")
        found = [
            (name, first, second)
            for name in NAMES
            for first in range(points)
            for second in seconds(name, first, points)
        ]
        assert {name for name, *_ in found} == set(NAMES), number
        met.update(found)
    assert set(met.values()) == {1}
    assert len(met) == len(NAMES) * points * (points + _MORE)
