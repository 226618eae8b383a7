"""0Pools, state mapping: each status of a trade, and the ledger action that it demands of us. At an outside venue."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.models import Hold, Posting
from orders.models import Order, Return
from orders.operations.return_trade import return_trade
from tests.orders import books
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.lanes import Lanes, open_lanes, trades_of
from tests.orders.test_outside_venue import refusing
from tests.orders.test_returns import decide
from tests.orders.wallet import Step, declined, pending

pytestmark = pytest.mark.usefixtures("database")


@dataclass(frozen=True)
class Row:
    status: str
    action: str
    legs: Mapping[str, Sequence[Step | None]]
    trades: str
    order: str
    holds: int
    """Open ones."""
    moved: int
    """Postings that moved money and stand."""
    then: Callable[[Desk, Order], None] = lambda desk, order: None


def _case_is_open(desk: Desk, order: Order) -> None:
    assert open_case(order).reason == "reverse_rejected"


def _debit_was_given_back(desk: Desk, order: Order) -> None:
    due = books.balances()["operators:acme:due", "EUR"]
    assert due[0] == due[1] == 10_000


def _the_second_names_the_first(desk: Desk, order: Order) -> None:
    first, second = trades_of(order)
    assert second.retry_of == first.reference
    assert Hold.objects.filter(state="voided").count() == Hold.objects.filter(state="posted").count() == 1


ROWS = [
    Row(
        "Reserved",
        "Pending hold or pending internal entry.",
        {"execute": [pending]},
        "reserved",
        "operator_debited",
        1,
        1,
    ),
    Row("Settled", "Finalize debit/credit according to flow.", {}, "settled", "processed", 0, 5),
    Row(
        "Failed",
        "Reverse pending state …",
        *({"execute": [declined]}, "failed", "compensated", 0, 2, _debit_was_given_back),
    ),
    Row(
        "Failed",
        "… or open support case.",
        *({"execute": [declined], "reverse": [declined]}, "failed", "manual_review", 0, 1, _case_is_open),
    ),
    Row(
        "Released",
        "Remove hold and allow retry.",
        {"execute": [refusing("released"), None]},
        *("released settled", "processed", 0, 5, _the_second_names_the_first),
    ),
    Row("Released", "Remove hold (the debit was declined).", {"debit": [declined]}, "released", "failed", 0, 0),
]


@pytest.fixture
def lanes(desk: Desk) -> Lanes:
    return open_lanes(desk)


def test_quote_active_is_no_final_ledger_movement(desk: Desk, lanes: Lanes) -> None:
    before = books.balances()
    postings = Posting.objects.count()
    quote = lanes.quote()
    assert (quote.state, books.balances(), Posting.objects.count()) == ("active", before, postings)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.status}: {row.action}")
def test_status_has_the_ledger_action_that_it_demands(row: Row, desk: Desk, lanes: Lanes) -> None:
    desk.wallet.legs = {leg: list(steps) for leg, steps in row.legs.items()}
    order = lanes.order()
    desk.drive(passes=3, pause=timedelta(seconds=2))
    order = reloaded(order)
    assert (" ".join(trade.state for trade in trades_of(order)), order.state) == (row.trades, row.order)
    assert Hold.objects.filter(state="open").count() == row.holds
    assert books.moved(order.reference).total() == row.moved
    row.then(desk, order)


def test_returned_reverses_and_reviews_the_completed_entry(desk: Desk, lanes: Lanes) -> None:
    """Returned: Reverse/review completed entry. Never an edit: the settlement stands, TRADE_RETURN turns it round."""
    order = lanes.order()
    drains.drain("sagas")
    trade = trades_of(order)[0]
    with db_transaction.atomic():
        found = return_trade(trade_reference=trade.reference, reason="statement", actor="user:lead", now=clock.now())
    assert open_case(Order(reference=found.reference)).reason == "trade_returned"
    settled = books.moved(order.reference)
    assert decide(found.reference, "adjust")
    assert trades_of(order)[0].state == "returned"
    assert books.moved(order.reference) == settled
    turned = {(credit, debit, asset, amount) for _, _, debit, credit, asset, amount in books.moved(found.reference)}
    assert turned == {
        (debit, credit, asset, amount) for event, _, debit, credit, asset, amount in settled if event == "TRADE_SETTLE"
    }
    assert Return.objects.get().state == "adjusted"
