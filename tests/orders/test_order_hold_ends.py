"""A living order whose reservation has expired, though none of ours ever does by itself: it ends, and so does the money.

The hold is given a time that has passed, the ledger's own sweep ends it, and the status poller has the order driven.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from ledger.controls import drains
from ledger.models import Hold
from orders.models import Order, Return, SagaRun, StaleFinding
from orders.reviews.offers import offers
from tests.orders import books
from tests.orders.bets import Bets
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.lanes import Lanes, open_lanes, trades_of
from tests.orders.test_markets import bets
from tests.orders.test_outside_venue import assert_over
from tests.orders.test_returns import decide
from tests.orders.wallet import declined, lost_before, pending

pytestmark = pytest.mark.usefixtures("database")

__all__ = ["bets"]

Superuser = psycopg.Connection[Any]


@pytest.fixture
def expire(desk: Desk, superuser_connection: Superuser) -> Callable[[Order], None]:
    """Have the order's open hold end by a timeout that nobody gave it, as the sweep ends one; have the poller find it."""

    def end(order: Order) -> None:
        superuser_connection.execute("SET session_replication_role = replica")
        superuser_connection.execute(
            "UPDATE ledger_hold SET expires_at = %s WHERE state = 'open'", [desk.clock.now() + timedelta(seconds=1)]
        )
        superuser_connection.execute("SET session_replication_role = origin")
        superuser_connection.execute("DELETE FROM orders_sagarun")
        desk.later(seconds=60)
        drains.drain("hold_expiry")
        assert list(Hold.objects.filter(transaction__subject=order.reference).values_list("state", flat=True)) == [
            "expired"
        ]
        drains.drain("stale")
        assert StaleFinding.objects.get(kind="hold").subject == f"{order.reference}:hold"
        assert SagaRun.objects.get(subject=order.reference).available_at <= desk.clock.now()

    return end


@dataclass(frozen=True)
class Case:
    """What the debit answers before the hold is gone and after it, how far the order is, and where it ends."""

    script: list[Any]
    passes: int
    state: str
    ends_in: tuple[str, str]
    trade: str
    asked: list[str]


BUYS = {
    "before the debit: nothing is asked": Case([None], 0, "queued", ("failed", "reservation_ended"), "failed", []),
    "waiting for the debit, which is confirmed: it is given back": Case(
        *([pending, None], 1, "operator_debit_pending", ("compensated", "reservation_ended")),
        *("failed", ["debit", "reverse"]),
    ),
    "waiting for the debit, which is declined": Case(
        [pending, declined], 1, "operator_debit_pending", ("failed", "debit_declined"), "released", ["debit"]
    ),
}


@pytest.mark.parametrize("name", BUYS)
def test_a_buy_ends_and_no_money_stays(name: str, desk: Desk, expire: Callable[[Order], None]) -> None:
    case = BUYS[name]
    before = books.balances()
    desk.wallet.legs = {"debit": case.script}
    order = desk.order()
    desk.drive(passes=case.passes, pause=timedelta(seconds=1))
    assert reloaded(order).state == case.state
    expire(order)
    desk.drive(passes=4)
    ended = reloaded(order)
    assert (ended.state, ended.status_reason) == case.ends_in
    assert [trade.state for trade in trades_of(order)] == [case.trade]
    assert [key.split(":")[1] for kind, key in desk.wallet.calls if kind == "ask"] == case.asked
    assert_over(desk)
    _is_as(before, but=("operators:acme:due", "transit:orders:acme"))


def _is_as(before: dict[tuple[str, str], tuple[int, ...]], *, but: tuple[str, ...] = ()) -> None:
    """What went through an account and back leaves its sums larger, and its balance as it was."""
    after = books.balances()
    for place, row in before.items():
        if place[0] in but:
            assert after[place][0] - after[place][1] == row[0] - row[1], place
        else:
            assert after[place] == row, place


@pytest.mark.parametrize(
    ("resolution", "script", "ends_in"),
    [
        ("debit_absent", [lost_before, declined], ("failed", "debit_absent")),
        ("compensate", [lost_before, None], ("compensated", "compensated_by_review")),
        ("debit_proven", [lost_before, None], ("compensated", "reservation_ended")),
    ],
)
def test_a_buy_under_review_is_resolved(
    resolution: str, script: list[Any], ends_in: tuple[str, str], desk: Desk, expire: Callable[[Order], None]
) -> None:
    before = books.balances()
    desk.wallet.legs = {"debit": [lost_before]}
    order = desk.order()
    desk.drive(passes=8)
    assert reloaded(order).state == "manual_review"
    key = f"{order.reference}:debit:v1"
    if resolution != "debit_absent":
        desk.wallet.applied[key] = _debited(key)
    else:
        desk.wallet.refused[key] = "declined"
    desk.wallet.legs = {"debit": script[1:], "reverse": [None]}
    expire(order)
    drains.drain("sagas")
    from orders.operations import review_case

    review_case.look_up_now(case_reference=open_case(order).reference, actor="user:olga", now=desk.clock.now())
    assert decide(order.reference, resolution)
    desk.drive(passes=3)
    assert (reloaded(order).state, reloaded(order).status_reason) == ends_in
    assert_over(desk)
    _is_as(before, but=("operators:acme:due", "transit:orders:acme"))


def _debited(key: str) -> Any:
    from wallets.gateway_port import RemoteRequest

    return RemoteRequest(key, "debit", "EUR", 10_000, "100.00", "alice", "")


def test_a_sell_fails_and_the_position_is_free_again(desk: Desk, expire: Callable[[Order], None]) -> None:
    desk.holding()
    before = books.balances()
    order = desk.sell()
    expire(order)
    desk.drive(passes=2)
    assert (reloaded(order).state, reloaded(order).status_reason) == ("failed", "reservation_ended")
    assert desk.wallet.calls == []
    assert_over(desk)
    _is_as(before)
    again = desk.sell()
    desk.drive(passes=1)
    assert reloaded(again).state == "processed"


def test_a_redemption_fails_and_is_asked_for_again(desk: Desk, bets: Bets, expire: Callable[[Order], None]) -> None:
    bets.done("YES", "20.00")
    held = bets.held("YES")
    bets.end("1")
    before = books.balances()
    amount = f"{held / 100:.2f}"
    order = bets.order("YES", amount, side="redemption")
    expire(order)
    desk.drive(passes=2)
    assert (reloaded(order).state, reloaded(order).status_reason) == ("failed", "reservation_ended")
    _is_as(before)
    bets.done("YES", amount, side="redemption")
    assert bets.held("YES") == 0


@pytest.fixture
def lanes(desk: Desk) -> Lanes:
    return open_lanes(desk)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_what_the_venue_has_executed_is_booked_behind_a_new_hold(
    side: str, desk: Desk, lanes: Lanes, expire: Callable[[Order], None]
) -> None:
    """It is a fact: the books end as those of an order whose hold was there."""
    if side == "sell":
        lanes.holding()
    amount = "100.00" if side == "buy" else "50.000000"
    desk.wallet.legs = {"execute": [pending, None]}
    order = lanes.order(side=side, amount=amount)
    desk.drive(passes=1, pause=timedelta(seconds=1))
    assert reloaded(order).state == ("operator_debited" if side == "buy" else "processing")
    expire(order)
    desk.drive(passes=3)
    assert reloaded(order).state == "processed"
    assert [trade.state for trade in trades_of(order)] == ["settled"]
    assert_over(desk)
    moved = books.moved(order.reference)
    desk.wallet.legs = {}
    usual = lanes.order(side=side, amount=amount, user="alice") if side == "buy" else None
    if usual is not None:
        desk.drive(passes=2)
        assert moved == books.moved(usual.reference)


def _executed_and_spent(desk: Desk, lanes: Lanes, expire: Callable[[Order], None]) -> tuple[Order, Order]:
    """A sell that its venue executed when its hold had gone, and the sell that has taken the position meanwhile."""
    lanes.holding()
    desk.wallet.legs = {"execute": [pending, None]}
    order = lanes.order(side="sell", amount="50.000000")
    desk.drive(passes=1, pause=timedelta(seconds=1))
    expire(order)
    spender = lanes.order(side="sell", amount="107.310000", reserves=False)
    desk.drive(passes=3)
    assert reloaded(spender).state == "processed"
    return reloaded(order), spender


def test_a_sell_executed_when_its_position_was_spent_is_for_people(
    desk: Desk, lanes: Lanes, expire: Callable[[Order], None]
) -> None:
    """Not retried for ever: nothing can be booked, and two people say that it is given up; the execution is a late effect."""
    order, spender = _executed_and_spent(desk, lanes, expire)
    assert (order.state, order.status_reason) == ("manual_review", "position_spent")
    assert not SagaRun.objects.filter(subject=order.reference).exclude(attempts=0).exists(), "no defect was retried"
    assert _offered(order) == {
        "trade_proven": "The position lacks 50.000000 USDT. It was spent when its reservation had ended.",
        "trade_absent": "The trade is executed.",
        "trade_given_up": "",
    }
    asked = list(desk.wallet.calls)
    assert decide(order.reference, "trade_given_up", second="user:pia"), "one person is not enough"
    desk.drive(passes=2)
    drains.drain("relay")
    assert (reloaded(order).state, reloaded(order).status_reason) == ("failed", "position_spent")
    assert [trade.state for trade in trades_of(order)] == ["released"]
    assert [key for kind, key in desk.wallet.calls[len(asked) :] if kind == "ask"] == [], "nobody is paid, nor released"
    assert reloaded(spender).state == "processed"
    late = Return.objects.get(order_reference=order.reference)
    assert (late.kind, late.leg, late.state) == ("late_effect", "execute", "open")
    assert decide(late.reference, "adjust")
    assert decide(late.reference, "keep", second="user:pia")
    assert Return.objects.get().state == "kept"
    assert books.balances()["positions:acme:alice", "USDT"][:2] == (107_310_000, 107_310_000)
    assert_over(desk)


def test_the_trade_is_proven_once_the_position_is_there_again(
    desk: Desk, lanes: Lanes, expire: Callable[[Order], None]
) -> None:
    order, _ = _executed_and_spent(desk, lanes, expire)
    desk.wallet.legs = {}
    lanes.holding()
    assert _offered(order)["trade_given_up"] == "The position is there: the trade can be booked."
    assert decide(order.reference, "trade_proven")
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    assert_over(desk)


@pytest.mark.parametrize(("side", "ends_in"), [("sell", "failed"), ("buy", "compensated")])
def test_what_the_venue_has_released_too_is_not_tried_again(
    side: str, ends_in: str, desk: Desk, lanes: Lanes, expire: Callable[[Order], None]
) -> None:
    """Nothing is reserved here any more: a sell's position may be spent, and a second reservation refused for ever."""
    lanes.holding()
    desk.wallet.legs = {"execute": [pending]}
    order = lanes.order(side=side, amount="50.000000" if side == "sell" else "100.00")
    desk.drive(passes=1, pause=timedelta(seconds=1))
    expire(order)
    (asked,) = [key for kind, key in desk.wallet.calls if kind == "ask" and ":execute:" in key]
    desk.wallet.legs, desk.wallet.refused[asked] = {}, "released"  # whichever order is driven first
    desk.wallet.applied.pop(asked, None)
    if side == "sell":
        lanes.order(side="sell", amount="107.310000", reserves=False)
    desk.drive(passes=5)
    assert (reloaded(order).state, reloaded(order).status_reason) == (ends_in, "reservation_ended")
    assert [trade.state for trade in trades_of(order)] == ["released"]
    assert_over(desk)


def _offered(order: Order) -> dict[str, str]:
    """Why each resolution of the trade is not allowed; "" when it is."""
    found = offers(case=open_case(order))
    return {one.resolution.value: one.why_not for one in found if one.resolution.startswith("trade_")}


def test_what_the_venue_was_not_asked_to_execute_is_given_up(
    desk: Desk, lanes: Lanes, expire: Callable[[Order], None]
) -> None:
    before = books.balances()
    desk.wallet.legs = {"debit": [pending, None]}
    order = lanes.order()
    desk.drive(passes=1, pause=timedelta(seconds=1))
    assert reloaded(order).state == "operator_debit_pending"
    expire(order)
    desk.drive(passes=4)
    assert (reloaded(order).state, reloaded(order).status_reason) == ("compensated", "reservation_ended")
    legs = [key.split(":")[1] for kind, key in desk.wallet.calls if kind == "ask"]
    assert sorted(legs) == ["debit", "release", "reserve", "reverse"]
    assert_over(desk)
    _is_as(before, but=("operators:acme:due", "transit:orders:acme"))
