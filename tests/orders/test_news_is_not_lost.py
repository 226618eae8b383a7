"""News of the other side is looked up at once, and is lost neither with its work row nor with the pause of an advance."""

from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.controls import drains
from orders.models import Order, Return, SagaRun
from orders.operations.freeze_order import freeze_order
from orders.sagas import news
from tests.orders.desk import Desk, reloaded
from tests.orders.test_operation_news import Wallet, judged, key_of, telling
from tests.orders.wallet import ScriptedWallet, declined, lost_after, lost_before, pending, server_error
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import RemoteOperation
from wallets.outcomes import Cause, Unknown

pytestmark = pytest.mark.usefixtures("database")

__all__ = ["telling"]


def _in_review(desk: Desk) -> Order:
    desk.wallet.legs["debit"] = [lost_after, *[server_error] * 3, None]
    order = desk.order()
    while reloaded(order).state != "manual_review":
        desk.drive(passes=1, pause=timedelta(seconds=2))
    return order


def test_news_in_the_first_minutes_of_a_review_is_looked_up_at_once(desk: Desk, telling: Wallet) -> None:
    order = _in_review(desk)
    calls = len(desk.wallet.calls)
    telling.tell(key_of(order))
    drains.drain("inbox")
    assert judged()[0] == "applied"
    drains.drain("sagas")
    assert len(desk.wallet.calls) == calls + 1
    assert RemoteOperation.objects.get().state == "confirmed"
    assert reloaded(order).state == "manual_review", "a lookup is evidence; people decide"
    assert SagaRun.objects.get().news == 0


def test_news_before_a_freeze_is_looked_up_though_the_order_is_frozen_just_now(desk: Desk, telling: Wallet) -> None:
    desk.wallet.legs["debit"] = [pending, None]
    order = desk.order()
    drains.drain("sagas")
    telling.tell(key_of(order))
    drains.drain("inbox")
    with db_transaction.atomic():
        freeze_order(order_reference=order.reference, reason="look", actor="user:lea", now=desk.clock.now())
    drains.drain("sagas")
    assert [kind for kind, _ in desk.wallet.calls] == ["ask", "lookup"]
    assert RemoteOperation.objects.get().state == "confirmed"
    assert reloaded(order).state == "operator_debit_pending"


def test_news_while_a_lookup_runs_makes_another_one_due_at_once(desk: Desk) -> None:
    """The lookup saw what was true before; its pause of half a minute must not overwrite the mark."""

    def told_meanwhile(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        with db_transaction.atomic():
            news.tell(request.owner, environment="test", now=desk.clock.now())
        return Reply(Unknown(Cause.PENDING), 200)

    desk.wallet.legs["debit"] = [pending, told_meanwhile, None]
    order = desk.order()
    drains.drain("sagas")
    desk.later(seconds=30)
    drains.drain("sagas")
    assert [kind for kind, _ in desk.wallet.calls] == ["ask", "lookup", "lookup"]
    assert reloaded(order).state == "processed"


def test_news_outlives_the_work_row_of_an_order_that_ends_meanwhile(desk: Desk) -> None:
    """The runner drops the row of an ended order; news that came while it ran makes it look back once more."""
    order = _failed_with_an_absent_debit(desk)
    asked: list[str] = []

    def told_meanwhile(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        if not asked:
            asked.append(request.key)
            with db_transaction.atomic():
                news.tell(request.owner, environment="test", now=desk.clock.now())
        return Reply(Unknown(Cause.NOT_FOUND), 404, absent=True)

    desk.wallet.legs["debit"] = [told_meanwhile]
    calls = len(desk.wallet.calls)
    with db_transaction.atomic():
        news.tell(order.reference, environment="test", now=desk.clock.now())
    drains.drain("sagas")
    assert len(desk.wallet.calls) == calls + 2
    assert not SagaRun.objects.filter(subject=order.reference).exists()


def test_news_is_kept_when_the_advance_raises_a_defect(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    order = _in_review(desk)
    with db_transaction.atomic():
        news.tell(order.reference, environment="test", now=desk.clock.now())
    with monkeypatch.context() as patched:
        patched.setattr("orders.sagas.watching.remote_operations.look_up", lambda key: 1 / 0)
        drains.drain("sagas")
    row = SagaRun.objects.get()
    assert (row.news, row.attempts, row.lease_token) == (1, 1, "")
    desk.drive(passes=1)
    desk.drive(passes=1)
    assert RemoteOperation.objects.get().state == "confirmed"
    assert SagaRun.objects.get().news == 0


def test_news_before_a_resolution_that_ends_the_order_is_looked_up_after_it(desk: Desk, telling: Wallet) -> None:
    """The case was open for longer than the poller looks back: this news is all that will ever be heard of the debit."""
    from tests.orders.test_returns import decide

    desk.wallet.legs["debit"] = [lost_before, None]
    order = desk.order()
    desk.drive(passes=12)
    desk.later(days=8)
    drains.drain("sagas")
    operation = RemoteOperation.objects.get()
    assert (reloaded(order).state, operation.state) == ("manual_review", "absent")
    desk.wallet.applied[operation.key] = RemoteRequest(operation.key, "debit", "EUR", 10_000, "100.00", "alice", "")
    telling.tell(operation.key)
    drains.drain("inbox")
    assert judged()[0] == "applied"
    decide(order.reference, "debit_absent")
    assert reloaded(order).state == "failed"
    for kind in ("sagas", "stale", "relay"):
        drains.drain(kind)
    assert Return.objects.get().operation_key == operation.key
    assert not SagaRun.objects.exists()


def _failed_with_an_absent_debit(desk: Desk) -> Order:
    from tests.orders.test_returns import failed_order

    return failed_order(desk)


def test_declined_debit_leaves_nothing_to_look_up(desk: Desk) -> None:
    desk.wallet.legs["debit"] = [lost_before, declined]
    order = desk.order()
    desk.drive(passes=3)
    assert reloaded(order).state == "failed"
    assert not SagaRun.objects.exists()
