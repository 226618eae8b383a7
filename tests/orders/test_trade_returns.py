"""0Pools, *Returned: reverse/review completed entry*: a settled trade that its venue took back. Never an edit."""

from collections.abc import Callable

import pytest
from django.db import transaction as db_transaction

from ledger import journal
from ledger.controls import clock
from ledger.drafts import Draft
from ledger.money import Money
from orders.models import Order, Return, Trade
from orders.operations.return_trade import NotReturnable, ReturnedAlready, return_trade
from tests.orders import books
from tests.orders.desk import Desk, reloaded, trade_of
from tests.orders.test_returns import decide, open_case, open_cases
from tests.orders.wallet import declined
from wallets.models import RemoteOperation

pytestmark = pytest.mark.usefixtures("database")


def _returned(desk: Desk, order: Order) -> Return:
    return return_trade(
        trade_reference=trade_of(order).reference, reason="venue's letter of today", actor="user:lena", now=clock.now()
    )


def _settled(desk: Desk) -> Order:
    order = desk.order()
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    return reloaded(order)


def test_return_is_opened_and_nothing_is_booked_until_people_say_that_it_is_so(desk: Desk) -> None:
    order = _settled(desk)
    before = books.balances()
    found = _returned(desk, order)
    assert (found.state, found.leg, found.gives_back_by) == ("open", "debit", "credit")
    assert trade_of(order).state == "settled"
    assert open_case(found.reference).reason == "trade_returned"
    changed = {place for place, four in books.balances().items() if before.get(place, (0, 0, 0, 0)) != four}
    assert changed == set()
    with pytest.raises(ReturnedAlready):
        _returned(desk, order)


def test_every_line_goes_the_other_way_and_the_operator_gets_its_money_when_a_buy_is_returned(desk: Desk) -> None:
    untouched = books.balances()
    order = _settled(desk)
    found = _returned(desk, order)
    decide(found.reference, "adjust")
    assert (trade_of(order).state, Return.objects.get().state) == ("returned", "adjusted")
    kinds = {line[0] for line in books.lines(subject=found.reference)}
    assert kinds == {"TRADE_RETURN"}
    decide(found.reference, "give_back", second="user:olaf")
    desk.drive(passes=3)
    assert Return.objects.get().state == "given_back"
    assert RemoteOperation.objects.get(owner=found.reference).key == f"{found.reference}:credit:v1"
    assert (reloaded(order).state, reloaded(order).version) == ("processed", order.version), "the order stays as it is"
    for (address, asset), (debits, credits, *pending) in books.balances().items():
        was = untouched.get((address, asset), (0, 0, 0, 0))
        assert (debits - credits, pending) == (was[0] - was[1], [was[2], was[3]]), (address, asset)


def test_user_who_sold_the_position_owes_it_when_the_buy_is_returned(desk: Desk) -> None:
    """A fact from outside is never refused (L4): what the position lacks is debited to its receivable."""
    order = _settled(desk)
    held = int(order.target_minor)
    _take_away(order, held - 1)
    found = _returned(desk, order)
    decide(found.reference, "adjust")
    receivable = books.balances()[("positions:acme:alice:receivable", "USDT")]
    assert receivable[0] - receivable[1] == held - 1
    assert trade_of(order).state == "returned"


def _take_away(order: Order, minor: int) -> None:
    """Move most of the position to the outside by an adjustment."""
    with db_transaction.atomic():
        journal.post_all(
            environment="test",
            drafts=[
                Draft(
                    event_type="MANUAL_ADJUSTMENT",
                    key="test:away",
                    subject="test",
                    amounts={"amount": Money(minor, "USDT")},
                    accounts={"debit": trade_of(order).terms["accounts"]["position"], "credit": "@world"},
                )
            ],
        )


REFUSED: dict[str, Callable[[Desk], Order]] = {
    "an order that failed": lambda desk: _failed(desk),
    "an order still under way": lambda desk: desk.order(),
}


@pytest.mark.parametrize("case", REFUSED)
def test_nothing_changes_when_the_trade_cannot_be_returned(case: str, desk: Desk) -> None:
    order = REFUSED[case](desk)
    before = books.world()
    with pytest.raises(NotReturnable):
        _returned(desk, order)
    assert books.world() == before
    assert Return.objects.count() == 0


def _failed(desk: Desk) -> Order:
    desk.wallet.legs = {"debit": [declined, None]}
    order = desk.order()
    desk.drive(passes=2)
    return order


def test_trade_stays_settled_when_its_return_is_dismissed(desk: Desk) -> None:
    order = _settled(desk)
    before = books.lines()
    found = _returned(desk, order)
    decide(found.reference, "dismiss", second="user:olaf")
    assert (Return.objects.get().state, Trade.objects.get().state) == ("dismissed", "settled")
    assert books.lines() == before
    assert open_cases(found.reference) == []
