"""Sells in a close: none of their ends is a false break; each planted break is found, under its own type."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock
from orders.models import Order, Pool
from orders.operations import review_case
from orders.operations.halt_pool import halt_pool, lift_halt
from reconciliation.check_registry import is_approvable
from reconciliation.checklist import checklist_of
from reconciliation.models import ExceptionCase
from tests.orders.bets import open_bets, text
from tests.orders.desk import open_case, reloaded, trade_of
from tests.orders.wallet import declined, lost_before
from tests.reconciliation.day import DATE, Day

pytestmark = pytest.mark.usefixtures("database")


def _sold(day: Day, *, pool: str = "EUR-USDT", asset: str = "USDT", amount: str = "50.00") -> Order:
    day.desk.wallet.script = []
    day.desk.wallet.legs = {}
    day.processed("1000.00", pool=pool)
    order = day.desk.sell(amount, pool=pool, asset=asset)
    day.desk.drive(passes=2, pause=timedelta(seconds=1))
    assert reloaded(order).state == "processed"
    return reloaded(order)


def _failed(day: Day) -> Order:
    day.processed()
    order = day.desk.sell()
    pool = Pool.objects.get(environment="test", code=order.pool_code)
    with db_transaction.atomic():
        halt_pool(pool=pool, reason="test", actor="user:ops", now=clock.now())
    day.desk.drive(passes=2, pause=timedelta(seconds=1))
    with db_transaction.atomic():
        lift_halt(pool=pool, actor="user:ops", now=clock.now())
    assert reloaded(order).state == "failed"
    return reloaded(order)


def _rejected(day: Day) -> Order:
    day.processed()
    day.desk.wallet.legs = {"credit": [declined, None]}
    order = day.desk.sell()
    day.desk.drive(passes=2, pause=timedelta(seconds=1))
    assert reloaded(order).state == "manual_review"
    return reloaded(order)


def _resolved(resolution: str) -> Callable[[Day], Order]:
    def order(day: Day) -> Order:
        order = _rejected(day)
        _decide(order, resolution)
        day.desk.drive(passes=2, pause=timedelta(seconds=1))
        return reloaded(order)

    return order


def _decide(order: Order, resolution: str) -> None:
    case = open_case(order)
    review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution=resolution,
        reason="agreed",
        agreement="their letter of 14 March",
        actor="user:ops",
        now=clock.now(),
    )
    case = open_case(order)
    review_case.approve_resolution(
        case_reference=case.reference, case_version=case.version, reason="agreed", actor="user:lead", now=clock.now()
    )


def test_close_finds_nothing_when_sells_have_ended_in_every_way(day: Day) -> None:
    orders = [
        _sold(day),
        _sold(day, pool="USD-ETH", asset="ETH", amount="0.1"),
        _failed(day),
        _resolved("settled_outside")(day),
        _resolved("unwind")(day),
        _resolved("credit_again")(day),
    ]
    assert [order.state for order in orders] == [
        *("processed", "processed", "failed", "processed", "failed", "processed"),
    ]
    day.desk.wallet.legs = {"reverse": [declined]}
    compensated = day.desk.order(user="magic-halt.alice")
    day.desk.drive(passes=3, pause=timedelta(seconds=1))
    _decide(compensated, "compensation_settled_outside")
    report = day.close()
    assert list(ExceptionCase.objects.values_list("type", "detail")) == []
    assert sum(report.breaks.values()) == 0
    assert set(report.zero_sum.values()) == {0}
    states = [reloaded(order).reconciliation_state for order in (*orders, compensated)]
    assert states == ["matched"] * 7


def test_a_sell_under_review_holds_the_close_though_its_trade_has_settled(day: Day) -> None:
    order = _rejected(day)
    assert trade_of(order).state == "settled"
    report = day.close()
    assert day.standing() == {("ledger_row_without_terminal_trade", order.reference)}
    assert sum(report.breaks.values()) == 1
    assert not is_approvable(ExceptionCase.objects.get().type)
    assert not checklist_of(report.close).complete
    assert reloaded(order).reconciliation_state == "exception"
    _decide(order, "settled_outside")
    assert reloaded(order).state == "processed"
    report = day.close()
    assert day.standing() == set()
    assert ExceptionCase.objects.get().state == "resolved"
    assert checklist_of(report.close).complete
    assert reloaded(order).reconciliation_state == "matched"


def test_close_finds_nothing_when_positions_were_redeemed_or_given_back(day: Day) -> None:
    orders = []
    for code, price in (("RAIN-2026", "0.5"), ("SNOW-2026", "void")):
        bets = open_bets(day.desk, code=code)
        bets.done("YES", "40.00")
        bets.done("NO", "25.00", user="bob")
        bets.done("YES", "3.00", side="sell")
        bets.end(price)
        orders += [
            bets.done("YES", "5.00", side="redemption"),
            bets.done("NO", text(bets.held("NO", user="bob")), side="redemption", user="bob"),
        ]
    report = day.close()
    assert list(ExceptionCase.objects.values_list("type", "detail")) == []
    assert sum(report.breaks.values()) == 0
    assert {reloaded(order).reconciliation_state for order in orders} == {"matched"}


def _redeemed(day: Day) -> Order:
    bets = open_bets(day.desk)
    bets.done("YES", "40.00")
    bets.end("1")
    return bets.done("YES", "5.00", side="redemption")


def _redemption_of_another_amount(day: Day, order: Order) -> str:
    day.plant(
        "UPDATE ledger_posting p SET amount_minor = amount_minor + 1 FROM ledger_transaction x"
        " WHERE p.transaction_id = x.id AND x.subject = %s AND x.event_type = 'ORDER_REDEMPTION' AND p.position = 1",
        order.reference,
    )
    return trade_of(order).reference


def test_close_of_the_day_before_finds_nothing_when_a_sell_is_unwound_the_day_after(day: Day) -> None:
    order = _rejected(day)
    day.after_midnight()
    _decide(order, "unwind")
    assert reloaded(order).state == "failed"
    for date in (DATE, DATE + timedelta(days=1)):
        assert sum(day.close(date).breaks.values()) == 0


def _credit_posting_deleted(day: Day, order: Order) -> str:
    day.plant("DELETE FROM ledger_transaction WHERE key = %s", f"{order.reference}:credit_confirmed")
    return order.reference


def _credit_of_another_amount(day: Day, order: Order) -> str:
    day.plant(
        "UPDATE ledger_posting p SET amount_minor = amount_minor + 1 FROM ledger_transaction x"
        " WHERE p.transaction_id = x.id AND x.key = %s",
        f"{order.reference}:credit_confirmed",
    )
    return order.reference


def _proceeds_off_by_one(day: Day, order: Order) -> str:
    day.plant(
        "UPDATE ledger_posting p SET amount_minor = amount_minor - 1 FROM ledger_transaction x"
        " WHERE p.transaction_id = x.id AND x.key = %s AND p.position = 1",
        f"{trade_of(order).reference}:settle",
    )
    return trade_of(order).reference


def _reversal_deleted(day: Day, order: Order) -> str:
    day.plant("DELETE FROM ledger_transaction WHERE key = %s", f"{order.reference}:reversal")
    return trade_of(order).reference


def _operator_says(state: str) -> Callable[[Day, Order], str]:
    def plant(day: Day, order: Order) -> str:
        day.plant("UPDATE wallets_remoteoperation SET state = %s WHERE owner = %s", state, order.reference)
        return order.reference

    return plant


@pytest.mark.parametrize(
    ("kind", "make", "plant"),
    [
        pytest.param("ledger_mismatch", _sold, _credit_posting_deleted, id="credit's posting deleted"),
        pytest.param("ledger_mismatch", _sold, _credit_of_another_amount, id="credit of another amount"),
        pytest.param("ledger_mismatch", _sold, _proceeds_off_by_one, id="proceeds off by one"),
        pytest.param("ledger_mismatch", _redeemed, _redemption_of_another_amount, id="redemption of another amount"),
        pytest.param("ledger_mismatch", _redeemed, _credit_posting_deleted, id="redemption's credit deleted"),
        pytest.param(
            "returned_trade_without_adjustment", _resolved("unwind"), _reversal_deleted, id="reversal deleted"
        ),
        pytest.param("terminal_state_conflict", _sold, _operator_says("rejected"), id="processed, yet not credited"),
        pytest.param(
            "terminal_state_conflict", _resolved("unwind"), _operator_says("confirmed"), id="failed, yet credited"
        ),
    ],
)
def test_close_finds_a_planted_break_of_a_sell(
    kind: str, make: Callable[[Day], Order], plant: Callable[[Day, Order], str], day: Day
) -> None:
    order = make(day)
    day.desk.wallet.legs = {"credit": [lost_before]}
    expected = {(kind, plant(day, order))}
    day.refold()
    day.close()
    assert day.standing() == expected
