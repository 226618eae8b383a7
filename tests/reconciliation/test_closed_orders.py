"""The orders of a locked date are closed by a worker, with the date in which they ended."""

from datetime import timedelta

import pytest

from ledger.controls import drains
from orders.models import Order
from reconciliation import (
    marks,
)
from reconciliation.models import CloseRun
from tests.orders.desk import reloaded
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.signatures import only_sign, over, sign, submit

pytestmark = pytest.mark.usefixtures("database")


def test_orders_are_closed_by_the_schedule_when_it_failed_at_first(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    order = day.processed()
    over(day)
    day.close()
    submit()
    drains.drain("closes")  # proves it
    assert only_sign().state == "locked"
    assert reloaded(order).reconciliation_state == "matched"
    monkeypatch.setattr(marks, "close_orders", _die)
    drains.drain("closes")
    assert reloaded(order).reconciliation_state == "matched"
    monkeypatch.undo()
    day.desk.later(minutes=2)
    drains.drain("closes")
    assert reloaded(order).reconciliation_state == "closed"
    assert CloseRun.objects.get(business_date=DATE).available_at is None


def test_an_order_is_closed_with_the_day_in_which_it_ended(day: Day) -> None:
    day.desk.clock.move_to(day.desk.clock.now().replace(hour=23, minute=59, second=59))
    late = day.desk.order()
    day.after_midnight()
    day.desk.drive(passes=2, pause=timedelta(seconds=1))
    assert reloaded(late).state == "processed"
    day.desk.clock.move_to(day.desk.clock.now().replace(hour=1, minute=5))
    day.close()
    submit()
    sign()
    assert Order.objects.get().reconciliation_state == "matched"


def _die(*_: object, **__: object) -> None:
    raise ZeroDivisionError
