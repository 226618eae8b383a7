"""A date is opened again while a worker still finishes its lock: what is decided last stands, whoever was slower."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import connection

from ledger.controls import clock
from orders.models import Order
from orders.operations.mark_reconciled import mark_reconciled
from reconciliation import day_movements, marks, proving, reopening, signing
from reconciliation.models import CloseRun, DayMovement
from tests.orders.desk import reloaded
from tests.reconciliation.day import Day
from tests.reconciliation.signatures import only_sign, over, sign, submit

pytestmark = pytest.mark.usefixtures("database")

_PATIENCE = 20.0


def _signed(day: Day) -> tuple[Order, CloseRun]:
    """A locked date that no worker has finished, and that somebody proposes to open again."""
    order = day.processed()
    over(day)
    day.close()
    submit()
    assert proving.prove(CloseRun.objects.get())
    close = only_sign()
    reopening.propose_reopening(close_reference=close.reference, reason="wrong", maker="user:a", now=clock.now())
    return order, close


def _reopen(close: CloseRun) -> None:
    reopening.approve_reopening(close_reference=close.reference, reason="yes", checker="user:b", now=clock.now())


def test_orders_of_a_date_opened_while_it_is_finished_are_not_closed(
    day: Day, monkeypatch: pytest.MonkeyPatch, run_threads: Callable[..., Sequence[Any]]
) -> None:
    order, close = _signed(day)
    kept, opened = threading.Event(), threading.Event()
    really = day_movements.keep

    def keep_and_wait(*asked: Any, **more: Any) -> None:
        really(*asked, **more)
        kept.set()
        assert opened.wait(_PATIENCE)

    monkeypatch.setattr(day_movements, "keep", keep_and_wait)

    def finish() -> None:
        with clock.use(day.desk.clock):
            signing.finish_locked(close)

    def reopen() -> None:
        with clock.use(day.desk.clock):
            assert kept.wait(_PATIENCE)
            _reopen(close)
            opened.set()

    assert list(run_threads(finish, reopen)) == [None, None]
    assert CloseRun.objects.get().state == "open"
    assert CloseRun.objects.get().available_at == clock.now(), "it is due to run"
    assert reloaded(order).reconciliation_state == "matched", "it was never closed"
    assert not DayMovement.objects.exists()


def test_opening_waits_for_a_batch_of_orders_that_is_being_closed(
    day: Day, monkeypatch: pytest.MonkeyPatch, run_threads: Callable[..., Sequence[Any]]
) -> None:
    order, close = _signed(day)
    inside = threading.Event()
    really = mark_reconciled

    def mark_slowly(**asked: Any) -> int:
        inside.set()
        _wait_for_a_waiter()
        return really(**asked)

    monkeypatch.setattr(marks, "mark_reconciled", mark_slowly)

    def finish() -> None:
        with clock.use(day.desk.clock):
            signing.finish_locked(close)

    def reopen() -> None:
        with clock.use(day.desk.clock):
            assert inside.wait(_PATIENCE)
            _reopen(close)

    assert list(run_threads(finish, reopen)) == [None, None]
    assert CloseRun.objects.get().state == "open"
    assert reloaded(order).reconciliation_state == "open"


def test_a_lock_that_was_opened_and_locked_again_is_not_done_when_the_first_is(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, first = _signed(day)
    really = marks.close_orders
    with monkeypatch.context() as slow:

        def locked_again_meanwhile(**asked: Any) -> int:
            slow.setattr(marks, "close_orders", really)
            _reopen(first)
            day.close()
            submit()
            proving.prove(CloseRun.objects.get())
            only_sign()
            return really(**asked)

        slow.setattr(marks, "close_orders", locked_again_meanwhile)
        signing.finish_locked(first)
    second = CloseRun.objects.get()
    assert (second.state, second.available_at, second.movements_kept_at) == ("locked", clock.now(), None)
    signing.finish_locked(second)
    assert CloseRun.objects.get().available_at is None
    assert DayMovement.objects.filter(close_reference=second.reference).exists()
    assert reloaded(order).reconciliation_state == "closed"


def test_a_run_opens_the_orders_that_a_killed_reopening_left_closed(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    order, close = _signed(day)
    signing.finish_locked(close)
    assert reloaded(order).reconciliation_state == "closed"

    def killed(**_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(marks, "open_orders", killed)
        with pytest.raises(KeyboardInterrupt):
            _reopen(close)
    assert (CloseRun.objects.get().state, reloaded(order).reconciliation_state) == ("open", "closed")
    day.close()
    assert reloaded(order).reconciliation_state == "matched"
    submit()
    assert sign().state == "locked"


def _wait_for_a_waiter() -> None:
    """Wait until another waits for a row."""
    with connection.cursor() as cursor:
        for _ in range(2_000):
            cursor.execute(
                "SELECT pg_sleep(0.01), count(*) FROM pg_locks WHERE locktype IN ('transactionid', 'tuple') AND NOT granted"
            )
            row = cursor.fetchone()
            if row and row[1]:
                return
    raise AssertionError("nobody waits")
