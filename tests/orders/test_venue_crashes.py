"""Crash at every commit and at each side of each remote call of an order at an outside venue; then others recover.

Whatever the point, money and trade agree in the end: executed and debited and settled, or neither; given back at most once,
and only what was not executed; a key is asked once (a release, which moves nothing, until it is answered).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection

from ledger.models import Hold
from orders.models import Order, Pool, Quote, SagaRun, Trade
from orders.operations.submit_order import DuplicatePartnerOrder
from tests.flush import Flush
from tests.orders import books
from tests.orders.desk import Desk, open_desk
from tests.orders.lanes import Lanes, open_lanes
from tests.orders.test_crashes import Killed, Killer, killing
from tests.orders.test_outside_venue import refusing
from tests.orders.wallet import ScriptedWallet, Step, declined
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import RemoteOperation
from wallets.outcomes import Cause, Unknown

pytestmark = pytest.mark.usefixtures("database")

_STOPPED = ("processed", "failed", "compensated", "manual_review")


@dataclass(frozen=True)
class Course:
    reserves: bool
    side: str
    legs: Mapping[str, Sequence[Step | None]]
    ends_in: str
    first: tuple[str, int]
    """Where it parts from the courses above: earlier points are theirs too, and not crashed again."""


COURSES = {
    "reserved, debited, executed": Course(True, "buy", {}, "processed", ("before commit", 4)),
    "debited, refused, given back": Course(
        False, "buy", {"execute": [declined, None]}, "compensated", ("before ask", 2)
    ),
    "debit declined, reservation released": Course(
        True, "buy", {"debit": [declined, None]}, "failed", ("before ask", 2)
    ),
    "released, tried once more": Course(
        True, "buy", {"execute": [refusing("released"), None]}, "processed", ("after ask", 3)
    ),
    "reserved, sold": Course(True, "sell", {}, "processed", ("before commit", 4)),
}


def quoted(course: Course, lanes: Lanes) -> Quote:
    if course.side == "sell":
        lanes.holding(reserves=course.reserves)
        return lanes.quote(reserves=course.reserves, side="sell", amount="50.000000")
    return lanes.quote(reserves=course.reserves)


def lived(course: Course, killers: Sequence[Killer], desk: Desk, monkeypatch: pytest.MonkeyPatch) -> str:
    """Submit and drive; each killer kills one process, and after its leases have run out another goes on.

    Return the order's reference.
    """
    desk.wallet.legs = {}
    lanes = open_lanes(desk)
    desk.wallet.applied.clear()
    Pool.objects.update(quote_lifetime_ms=600_000)  # two dead processes cost more time than a quote lasts
    quote = quoted(course, lanes)
    desk.wallet.legs = {leg: list(steps) for leg, steps in course.legs.items()}
    desk.wallet.calls.clear()
    desk.wallet.refused.clear()
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
    for _ in range(40):  # what is driven beyond the order's end
        if not SagaRun.objects.filter(subject__startswith="trd_").exists():
            break
        desk.drive(passes=1)
    return Order.objects.get(quote_reference=quote.reference).reference


def _go_on(desk: Desk, quote: Quote) -> None:
    with suppress(DuplicatePartnerOrder):
        desk.submit(quote, partner_order_id="shop-1")
    for _ in range(15):
        desk.drive(passes=1)
        if Order.objects.get(quote_reference=quote.reference).state in _STOPPED:
            return


def assert_money_and_trade_agree(desk: Desk, reference: str, place: object) -> None:
    order = Order.objects.get(reference=reference)
    trades = list(Trade.objects.filter(order_reference=reference).order_by("pk"))
    applied = {key.split(":")[1] for key in desk.wallet.applied if key.split(":")[0] in _owners(order, trades)}
    asks = Counter(key for kind, key in desk.wallet.calls if kind == "ask" and ":release:" not in key)
    assert set(asks.values()) <= {1}, (place, asks)
    executed = "execute" in applied
    assert [trade.state for trade in trades].count("settled") <= 1, place
    match order.state:
        case "processed":
            assert executed, place
            assert ("debit" if order.side == "buy" else "credit") in applied, place
            assert trades[-1].state == "settled", place
        case "compensated":
            assert not executed, place
            assert {"debit", "reverse"} <= applied, place
        case "failed":
            assert not executed, place
            assert not applied & {"debit", "credit"}, place
        case "manual_review":
            assert "reverse" not in applied or not executed, place
            assert not (order.side == "sell" and "credit" in applied and not executed), place
    if order.terminal:
        standing = books.balances()["transit:orders:acme", "EUR"]
        assert (standing[0] - standing[1], standing[2], standing[3]) == (0, 0, 0), place
        assert not Hold.objects.filter(state="open").exists(), place
    for trade in trades:
        if trade.state in ("released", "failed"):
            held = RemoteOperation.objects.filter(owner=trade.reference, leg="reserve", state="confirmed").exists()
            released = RemoteOperation.objects.filter(owner=trade.reference, leg="release", state="confirmed").exists()
            assert released or not held, (place, "a reservation is left standing at the venue")


def _owners(order: Order, trades: Sequence[Trade]) -> set[str]:
    return {order.reference, *(trade.reference for trade in trades)}


@pytest.mark.parametrize("name", COURSES)
def test_money_and_trade_agree_when_the_process_dies_at_any_point(
    name: str, desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = COURSES[name]
    scout = Killer(at=None)
    reference = lived(course, [scout], desk, monkeypatch)
    assert Order.objects.get(reference=reference).state == course.ends_in
    assert_money_and_trade_agree(desk, reference, (name, "undisturbed"))
    undisturbed = (books.lines(subject=reference), books.balances())

    same = 0
    point, occurrence = course.first
    first = [at for at, found in enumerate(scout.points) if found == point][occurrence - 1]
    points = list(enumerate(scout.points))[first:]
    for at, found in points:
        flush()
        desk = open_desk(desk.wallet, desk.clock)
        killer = Killer(at=at)
        reference = lived(course, [killer], desk, monkeypatch)
        place = (name, at, found)
        assert killer.dead, place
        assert_money_and_trade_agree(desk, reference, place)
        if Order.objects.get(reference=reference).state == course.ends_in:
            same += (books.lines(subject=reference), books.balances()) == undisturbed
    assert same >= len(points) - 2 * len({key.split(":")[1] for _, key in desk.wallet.calls}), (same, len(points))


def test_every_side_of_every_question_is_among_the_points(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    scout = Killer(at=None)
    lived(COURSES["released, tried once more"], [scout], desk, monkeypatch)
    found = Counter(scout.points)
    assert found["before ask"] == found["after ask"] == 6, "reserve, debit, execute; reserve, execute again; release"


def test_release_goes_on_by_itself_when_its_work_row_is_lost(
    desk: Desk, superuser_connection: psycopg.Connection[Any]
) -> None:
    """The status poller: a reservation that nobody releases any more is found and released."""
    from ledger.controls import drains
    from orders.models import StaleFinding

    lanes = open_lanes(desk)
    desk.wallet.legs = {"debit": [declined], "release": [_applied_and_lost, None]}
    order = lanes.order()
    desk.drive(passes=1, pause=timedelta(seconds=1))
    superuser_connection.execute("DELETE FROM orders_sagarun")
    desk.later(minutes=1)
    drains.drain("stale")
    trade = Trade.objects.get(order_reference=order.reference)
    assert SagaRun.objects.get().subject == trade.reference
    assert StaleFinding.objects.get().done == "its saga has a work row again"
    desk.drive(passes=3)
    assert RemoteOperation.objects.get(leg="release").state == "confirmed"


def _applied_and_lost(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
    """Release, and let nobody hear of it, whether asked or looked up."""
    wallet.applied[request.key] = request
    return Reply(Unknown(Cause.TIMEOUT))
