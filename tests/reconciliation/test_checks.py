"""A day with planted breaks of every type: the close finds exactly those, each under its own type."""

from datetime import timedelta
from typing import LiteralString

import pytest

from ledger.controls import clock
from ledger.models import Transaction
from orders.models import Freeze, Order
from reconciliation.check_registry import every_check
from reconciliation.models import ExceptionCase
from tests.orders.desk import reloaded, trade_of
from tests.reconciliation.breaks import BREAKS, Break, plant_all
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.signatures import locked
from tests.rest.conftest import open_house
from tests.rest.test_ledger import opening
from tests.wallets.people import fund, wallet
from webhooks.models import Delivery

_OTHER_AMOUNTS = {"transit_not_zero", "hold_without_owner", "remote_operation_disagrees"}

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
    "Duplicate trade attempt": (
        "Retry or double-click path may be wrong.",
        "Check idempotency key and conflict response.",
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

RECOVERY = {
    # the seed's table of failure modes, word for word
    "Webhook without ledger row": "Queue an exception.",
    "Ledger row without terminal trade": "Hold close until status resolves.",
    "Returned trade without adjustment": "Post return adjustment.",
}
ORDER = [
    # DESIGN.md section 9's table
    *("missing_quote", "missing_trade", "duplicate_trade_attempt", "missing_webhook", "webhook_without_ledger_row"),
    *("ledger_mismatch", "ledger_row_without_terminal_trade", "returned_trade_without_adjustment"),
    *("terminal_state_conflict", "posting_that_joins_to_nothing", "remote_operation_disagrees", "late_effect"),
    *("transit_not_zero", "balance_is_not_the_fold", "hold_without_owner"),
]


def test_checks_say_what_the_seed_says() -> None:
    said = {check.title: (check.meaning, check.first_action) for check in every_check()}
    assert {title: said[title] for title in SEED} == SEED
    assert {title: said[title][1] for title in RECOVERY} == RECOVERY


def test_checks_stand_in_the_designs_order() -> None:
    named = [check.name for check in every_check()]
    assert [name for name in named if name in ORDER] == ORDER


def test_close_finds_nothing_when_nothing_is_broken(day: Day) -> None:
    orders = [
        day.processed(),
        day.processed("250.50", pool="EUR-ETH"),
        day.failed(),
        day.compensated(),
    ]
    day.desk.quote()
    report = day.close()
    assert list(ExceptionCase.objects.values_list("type", "detail")) == []
    assert sum(report.breaks.values()) == 0
    states = [reloaded(order).reconciliation_state for order in orders]
    assert states == ["matched", "matched", "matched", "matched"]
    assert set(report.zero_sum.values()) == {0}


def test_close_finds_exactly_the_planted_breaks(day: Day) -> None:
    sound = [day.processed(), day.failed(), day.compensated()]
    broken = [(planted, planted.order(day)) for planted in BREAKS]
    expected = plant_all(day, broken)
    assert len(expected) == len(BREAKS)

    report = day.close()

    assert day.standing() == expected
    assert sum(report.breaks.values()) == report.cases.opened == len(BREAKS)
    for name in ORDER:
        assert report.breaks[name] == sum(planted.type == name for planted in BREAKS) > 1
    for case in ExceptionCase.objects.all():
        check = next(check for check in every_check() if check.name == case.type)
        assert (case.owner, case.first_action) == (check.owner, check.first_action)
        assert case.next_review_on == DATE + timedelta(days=2)  # Saturday's cases are reviewed on Monday
        if Order.objects.filter(reference=case.order_reference).exists() and case.type not in _OTHER_AMOUNTS:
            assert (case.asset, int(case.amount_minor)) == ("EUR", 10_000)
            assert case.operator_id == day.desk.caller.operator_id
    assert {reloaded(order).reconciliation_state for order in sound} == {"matched"}
    named = set(ExceptionCase.objects.values_list("order_reference", flat=True))
    for _, order in broken:
        assert (reloaded(order).reconciliation_state == "exception") == (order.reference in named)


def test_close_takes_a_funding_that_the_house_asked_for_or_two_people_decided(day: Day) -> None:
    house = open_house()
    asked = opening("open:u1", "users:u1:available", "100.00")
    assert house.post("/v1/accounts", {"address": "users:u1:available", "asset": "EUR"}).status == 201
    assert house.post("/v1/transactions", asked).status == 201
    fund(wallet("alice"), 10_000)
    assert Transaction.objects.filter(event_type="OPENING_BALANCE").count() == 2
    assert not any(day.close().breaks.values())


@pytest.mark.parametrize("planted", BREAKS, ids=lambda planted: f"{planted.type}:{planted.title}")
def test_close_finds_a_break_alone(day: Day, planted: Break) -> None:
    expected = plant_all(day, [(planted, planted.order(day))])
    day.close()
    assert day.standing() == expected


def test_a_reserved_trade_whose_hold_is_gone_is_found(day: Day) -> None:
    trade = trade_of(day.in_review())
    assert trade.state == "reserved"
    day.close()
    assert not ExceptionCase.objects.filter(type="hold_without_owner").exists()
    day.plant(
        "UPDATE ledger_hold h SET state = 'voided', ended_by = h.transaction_id, ended_at = now() FROM ledger_transaction x"
        " WHERE x.id = h.transaction_id AND x.key = %s",
        trade.hold_key,
    )
    day.close()
    assert ("hold_without_owner", trade.hold_key) in day.standing()


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


@pytest.mark.parametrize(("names_it", "breaks"), [(True, 0), (False, 1)])
def test_a_released_trade_may_be_retried_once_by_a_trade_that_names_it(day: Day, names_it: bool, breaks: int) -> None:
    order = day.failed()
    first = trade_of(order)
    assert first.state == "released"
    planted = next(planted for planted in BREAKS if planted.title == "_second_trade")
    second = planted.plant(day, order)
    if names_it:
        day.plant("UPDATE orders_trade SET retry_of = %s WHERE reference = %s", first.reference, second)
    assert day.close().breaks["duplicate_trade_attempt"] == breaks


def test_a_resent_delivery_takes_the_dead_ones_place(day: Day) -> None:
    order = day.processed()
    planted = next(planted for planted in BREAKS if planted.title == "_delivery_dead")
    planted.plant(day, order)
    planted.plant(day, order)
    day.plant(
        "UPDATE webhooks_delivery SET state = 'delivered' WHERE id = (SELECT max(id) FROM webhooks_delivery)",
    )
    assert day.close().breaks["missing_webhook"] == 0


@pytest.mark.parametrize(
    ("columns", "at_risk"),
    [
        ("debits_pending = debits_pending + 700", 700),
        ("credits_pending = credits_pending + 700", 700),
        ("credits_posted = credits_posted + 5, debits_posted = debits_posted + 5", 5),
        ("credits_posted = credits_posted + 5, debits_posted = debits_posted - 3", 8),
    ],
)
def test_a_balance_that_is_off_says_by_how_much_on_whichever_side(
    columns: LiteralString, at_risk: int, day: Day
) -> None:
    day.processed()
    day.plant(f"UPDATE ledger_account SET {columns} WHERE address = 'pools:EUR-USDT' AND asset = 'EUR'")
    day.close()
    case = ExceptionCase.objects.get(type="balance_is_not_the_fold")
    assert (case.asset, int(case.amount_minor)) == ("EUR", at_risk)


def test_a_delivery_that_dies_days_later_is_named_by_the_close_of_that_day(day: Day) -> None:
    order = day.processed()
    dead = next(planted for planted in BREAKS if planted.title == "_delivery_dead")
    dead.plant(day, order)
    day.plant("UPDATE webhooks_delivery SET state = 'pending'")
    locked(day)
    later = DATE + timedelta(days=4)
    day.after_midnight(days=4)
    day.plant("UPDATE webhooks_delivery SET state = 'dead', ended_at = %s", clock.now())
    assert day.close(later - timedelta(days=1)).breaks["missing_webhook"] == 0
    assert day.close(later).breaks["missing_webhook"] == 1
    assert day.standing() == {("missing_webhook", trade_of(order).reference)}
    case = ExceptionCase.objects.get()
    assert (case.asset, int(case.amount_minor), case.business_date) == ("EUR", 10_000, later)
    assert case.detail["reason"] == "its delivery is dead"
    day.plant("UPDATE webhooks_delivery SET state = 'delivered'")
    assert day.close(later).cases.healed == 1


def test_a_redelivery_that_dies_takes_nothing_from_one_that_arrived(day: Day) -> None:
    order = day.processed()
    planted = next(planted for planted in BREAKS if planted.title == "_delivery_dead")
    planted.plant(day, order)
    day.plant("UPDATE webhooks_delivery SET state = 'delivered'")
    planted.plant(day, order)
    assert Delivery.objects.order_by("id").values_list("state", flat=True).last() == "dead"
    assert day.close().breaks["missing_webhook"] == 0


def test_a_dead_delivery_that_was_resent_hides_no_missing_ledger_row(day: Day) -> None:
    order = day.processed()
    dead = next(planted for planted in BREAKS if planted.title == "_delivery_dead")
    dead.plant(day, order)
    dead.plant(day, order)
    day.plant("UPDATE webhooks_delivery SET state = 'delivered' WHERE id = (SELECT max(id) FROM webhooks_delivery)")
    bare = next(planted for planted in BREAKS if planted.type == "webhook_without_ledger_row")
    assert bare.plant(day, order) == trade_of(order).reference
    assert day.close().breaks["webhook_without_ledger_row"] == 1


def test_a_record_of_another_day_or_book_is_not_looked_at(day: Day) -> None:
    order = day.processed()
    day.plant("DELETE FROM orders_trade WHERE order_reference = %s", order.reference)
    day.after_midnight()
    day.processed()
    assert day.close(DATE + timedelta(days=1)).breaks["missing_trade"] == 0
    assert day.close(DATE).breaks["missing_trade"] == 1
