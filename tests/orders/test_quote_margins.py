"""A quote with a margin outlives others' orders; the pool's product never falls all the same."""

import pytest
from django.db import IntegrityError
from django.db import transaction as db_transaction

from orders.models import Order, Pool
from orders.operations.submit_order import PriceMoved
from tests.management import Ended, manage
from tests.orders import books
from tests.orders.desk import Desk

pytestmark = pytest.mark.usefixtures("database")


def _margin(basis_points: int, pool: str = "EUR-USDT") -> Ended:
    return manage("quote_margin", pool, "--environment", "test", "--basis-points", str(basis_points))


def test_a_quote_without_margin_is_overtaken_and_one_with_it_stands(desk: Desk) -> None:
    overtaken, first = desk.quote("100.00", user="bob"), desk.quote("100.00")
    desk.submit(first)
    with pytest.raises(PriceMoved):
        desk.submit(overtaken)
    assert Order.objects.count() == 1
    assert _margin(1) == Ended(0, "Quotes of EUR-USDT stay 1 basis points below its curve.\n", "")
    quotes = [desk.quote("100.00", user=f"user-{n}") for n in range(4)]
    for quote in quotes:
        desk.submit(quote)
    assert Order.objects.count() == 5


def test_a_margin_is_taken_of_what_is_given_and_rounds_down(desk: Desk) -> None:
    plain = desk.quote("100.00")
    _margin(100)
    below = desk.quote("100.00")
    assert below.target_minor == plain.target_minor * 9_900 // 10_000
    assert (below.cash_minor, below.fee_minor) == (plain.cash_minor, plain.fee_minor)


def test_a_margin_that_orders_have_used_up_refuses_as_ever(desk: Desk) -> None:
    _margin(1)
    late = desk.quote("100.00", user="bob")
    for n in range(2):
        desk.submit(desk.quote("50000.00", user=f"user-{n}"))
    before = books.balances()
    with pytest.raises(PriceMoved):
        desk.submit(late)
    assert books.balances() == before


@pytest.mark.parametrize("basis_points", [-1, 1_001])
def test_a_margin_is_none_to_ten_percent(desk: Desk, basis_points: int) -> None:
    ended = _margin(basis_points)
    assert ended.status == 1
    assert "0 to 1000 basis points" in ended.err
    assert set(Pool.objects.values_list("quote_margin_bps", flat=True)) == {0}


def test_no_pool_but_a_makers_pair_has_a_margin(desk: Desk) -> None:
    ended = _margin(1, "NO-PAIR")
    assert (ended.status, "no pool NO-PAIR" in ended.err) == (1, True)
    with pytest.raises(IntegrityError), db_transaction.atomic():
        Pool.objects.filter(code="EUR-USDT").update(quote_margin_bps=1, kind="outcome_market")
