"""One death at each point of what becomes of a sell that was executed when its position was gone: its stop, and its giving up.

And of a date's lock, which seals: locked and sealed, or neither.
"""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import transaction as db_transaction

from ledger import periods, verify
from ledger.controls import clock, drains
from ledger.models import Block, PeriodChange, Unsealed
from orders.models import Order, Return, ReviewCase, SagaRun
from tests.flush import Flush
from tests.orders.deaths import Story, decide, drive, survives, waiting
from tests.orders.desk import Desk
from tests.orders.lanes import open_lanes
from tests.orders.test_order_hold_ends import expire
from tests.orders.wallet import pending

pytestmark = pytest.mark.usefixtures("database")

__all__ = ["expire"]

Expire = Callable[[Order], None]


def _spent(expire: Expire, desk: Desk) -> Order:
    """A sell that its venue is asked about, its hold gone and its position spent by another sell; due to be driven."""
    lanes = open_lanes(desk)
    lanes.holding()
    desk.wallet.legs = {"execute": [pending, None]}
    order = lanes.order(side="sell", amount="50.000000")
    desk.drive(passes=1, pause=timedelta(seconds=1))
    expire(order)
    runs = SagaRun.objects.filter(subject=order.reference)
    runs.update(available_at=clock.now() + timedelta(days=1))
    spender = lanes.order(side="sell", amount="107.310000", reserves=False)
    desk.drive(passes=3)
    assert Order.objects.get(pk=spender.pk).state == "processed"
    runs.update(available_at=clock.now())
    return order


def _stopped(expire: Expire, desk: Desk) -> ReviewCase:
    order = _spent(expire, desk)
    drive(desk)
    return waiting(order.reference)


def _given_up(desk: Desk, case: ReviewCase) -> None:
    decide(case, "trade_given_up", two=True)
    drive(desk)
    drains.drain("relay")


def _locked(desk: Desk, day: date) -> None:
    with db_transaction.atomic():
        periods.lock("test", day, "user:lou", clock.now())


def _busy(desk: Desk) -> date:
    desk.order("100.00")
    drive(desk)
    return clock.now().date()


def test_it_stops_for_people_once(desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch, expire: Expire) -> None:
    story = Story[Any](ready=partial(_spent, expire), act=lambda desk, _: drive(desk))
    assert survives(story, desk, flush, monkeypatch).waits == ["position_spent"]


def test_it_is_given_up_once(desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch, expire: Expire) -> None:
    story = Story[Any](ready=partial(_stopped, expire), act=_given_up)
    survives(story, desk, flush, monkeypatch)
    late = Return.objects.get()
    assert (late.kind, late.leg) == ("late_effect", "execute")
    assert Order.objects.get(reference=late.order_reference).state == "failed"


def test_a_date_is_locked_and_sealed_or_neither(desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch) -> None:
    survives(Story[Any](ready=_busy, act=_locked), desk, flush, monkeypatch)
    change = PeriodChange.objects.get()
    assert change.sealed_through == Block.objects.filter(book_id=change.book_id).count() > 0
    assert not Unsealed.objects.filter(book_id=change.book_id).exists()
    assert [one.check.name for one in verify.verify() if one.breaks] == []
