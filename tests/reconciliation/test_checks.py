"""A day with planted breaks of every type: the close finds exactly those, each under its own type."""

from datetime import timedelta

import pytest

from orders.models import Freeze, Order
from reconciliation.check_registry import every_check
from reconciliation.models import ExceptionCase
from tests.orders.desk import reloaded, trade_of
from tests.reconciliation.breaks import BREAKS, Break
from tests.reconciliation.day import DATE, Day

SEED = {
    # the seed's table of exception types, word for word
    "Missing quote": (
        "Partner order never received or stored a quote id.",
        "Check server logs and request id.",
    ),
    "Missing trade": (
        "User may not have accepted, quote expired, or transact failed.",
        "Retrieve quote/trade by id if available.",
    ),
    "Missing webhook": (
        "Delivery issue or endpoint failure.",
        "Poll trusted read and inspect delivery logs.",
    ),
    "Ledger mismatch": (
        "Balance movement does not match expected trade state.",
        "Compare ledger ref, quote id, trade id, and amount strings.",
    ),
    "Terminal state conflict": (
        "Product moved backward or overwrote a final state.",
        "Freeze order and review state transition audit.",
    ),
    # ours
    "Statement line unmatched": (
        "A bank or operator shows a movement that our book does not.",
        "Look for it by its ids; then match it by hand, or book what is missing.",
    ),
}


def test_checks_say_what_the_seed_says() -> None:
    assert {check.title: (check.meaning, check.first_action) for check in every_check()} == SEED


def test_close_finds_nothing_when_nothing_is_broken(day: Day) -> None:
    orders = [
        day.processed(),
        day.processed("250.50", pool="EUR-ETH"),
        day.failed(),
        day.compensated(),
        day.in_review(),
    ]
    day.desk.quote()
    report = day.close()
    assert sum(report.breaks.values()) == 0
    assert ExceptionCase.objects.count() == 0
    states = [reloaded(order).reconciliation_state for order in orders]
    assert states == ["matched", "matched", "matched", "matched", "open"]
    assert set(report.zero_sum.values()) == {0}


def test_close_finds_exactly_the_planted_breaks(day: Day) -> None:
    sound = [day.processed(), day.failed(), day.compensated()]
    broken = [(planted, planted.order(day)) for planted in BREAKS]
    expected = {(planted.type, planted.plant(day, order)) for planted, order in broken}
    assert len(expected) == len(BREAKS)

    report = day.close()

    assert day.standing() == expected
    assert sum(report.breaks.values()) == report.cases.opened == len(BREAKS)
    for check in every_check():
        assert report.breaks[check.name] == sum(planted.type == check.name for planted in BREAKS) > 1
    for case in ExceptionCase.objects.all():
        check = next(check for check in every_check() if check.name == case.type)
        assert (case.owner, case.first_action) == (check.owner, check.first_action)
        assert case.next_review_on == DATE + timedelta(days=2)  # Saturday's cases are reviewed on Monday
        assert (case.asset, int(case.amount_minor)) == ("EUR", 10_000)
        assert case.operator_id == day.desk.caller.operator_id
        assert Order.objects.filter(reference=case.order_reference).exists()
    assert {reloaded(order).reconciliation_state for order in sound} == {"matched"}
    assert {reloaded(order).reconciliation_state for _, order in broken} == {"exception"}


@pytest.mark.parametrize("planted", BREAKS, ids=lambda planted: f"{planted.type}:{planted.title}")
def test_close_finds_a_break_alone(day: Day, planted: Break) -> None:
    expected = {(planted.type, planted.plant(day, planted.order(day)))}
    day.close()
    assert day.standing() == expected


def test_an_order_is_frozen_when_its_states_conflict(day: Day) -> None:
    order, sound = day.processed(), day.processed()
    day.plant("UPDATE orders_trade SET state = 'reserved' WHERE reference = %s", trade_of(order).reference)
    day.close()
    assert list(Freeze.objects.values_list("subject", "reason", "frozen_by")) == [
        (order.reference, "terminal state conflict", "close")
    ]
    day.close()
    assert Freeze.objects.count() == 1
    assert not Freeze.objects.filter(subject=sound.reference).exists()


def test_a_resent_delivery_takes_the_dead_ones_place(day: Day) -> None:
    order = day.processed()
    planted = next(planted for planted in BREAKS if planted.title == "_delivery_dead")
    planted.plant(day, order)
    planted.plant(day, order)
    day.plant(
        "UPDATE webhooks_delivery SET state = 'delivered' WHERE id = (SELECT max(id) FROM webhooks_delivery)",
    )
    assert day.close().breaks["missing_webhook"] == 0


def test_a_record_of_another_day_or_book_is_not_looked_at(day: Day) -> None:
    order = day.processed()
    day.plant("DELETE FROM orders_trade WHERE order_reference = %s", order.reference)
    day.after_midnight()
    day.processed()
    assert day.close(DATE + timedelta(days=1)).breaks["missing_trade"] == 0
    assert day.close(DATE).breaks["missing_trade"] == 1
