import pytest

from ledger import balances
from tests.orders.desk import Desk, open_case, reloaded, trade_of
from tests.orders.wallet import declined, lost_after, lost_before

pytestmark = pytest.mark.usefixtures("database")


def test_order_is_processed_when_the_debit_is_confirmed(desk: Desk) -> None:
    order = desk.order()
    desk.drive(passes=2)
    order = reloaded(order)
    assert order.state == "processed"
    assert trade_of(order).state == "settled"
    assert desk.wallet.calls == [("ask", f"{order.reference}:debit:v1")]
    read = balances.read(
        environment="test",
        accounts=[("transit:orders:acme", "EUR"), ("operators:acme:due", "EUR"), ("positions:acme:alice", "USDT")],
    )
    assert read["transit:orders:acme", "EUR"].posted == 0
    assert read["operators:acme:due", "EUR"].posted == 10_000
    assert read["positions:acme:alice", "USDT"].posted == order.target_minor


def test_order_fails_when_the_debit_is_declined(desk: Desk) -> None:
    desk.wallet.script = [declined]
    order = desk.order()
    desk.drive(passes=2)
    assert reloaded(order).state == "failed"
    assert trade_of(order).state == "released"


def test_order_goes_to_review_when_the_debit_stays_unknown(desk: Desk) -> None:
    desk.wallet.script = [lost_before]
    order = desk.order()
    desk.drive(passes=12)
    assert reloaded(order).state == "manual_review"
    assert len([call for call in desk.wallet.calls if call[0] == "ask"]) == 1
    assert open_case(order).reason == "debit_unknown"


def test_order_is_processed_when_a_lookup_finds_the_debit(desk: Desk) -> None:
    desk.wallet.script = [lost_after, None]
    order = desk.order()
    desk.drive(passes=4)
    assert reloaded(order).state == "processed"
    assert len(desk.wallet.applied) == 1
