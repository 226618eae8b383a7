"""A sell's workers that sleep at the wrong moment, and freezes: nothing is paid that nobody waits for."""

from dataclasses import replace

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from orders.models import Freeze, Order
from orders.operations import review_case
from orders.operations.freeze_order import freeze_order, lift_freeze
from orders.sagas import sell
from tests.orders import books
from tests.orders.desk import Desk, open_case, reloaded, trade_of
from tests.orders.wallet import lost_after, lost_before, server_error
from wallets import remote_operations
from wallets.claiming import Claimed
from wallets.models import Gateway, RemoteAttempt, RemoteOperation

pytestmark = pytest.mark.usefixtures("database")


def _unwind(order: Order) -> None:
    case = open_case(order)
    review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="unwind",
        reason="never paid",
        actor="user:ops",
        now=clock.now(),
    )
    case = open_case(order)
    assert review_case.approve_resolution(
        case_reference=case.reference, case_version=case.version, reason="agreed", actor="user:lead", now=clock.now()
    ).resolved


@pytest.mark.parametrize("awake", [False, True], ids=["its own clock tells it", "the wallet refuses by Not-After"])
def test_nothing_is_paid_when_a_worker_sleeps_between_claim_and_send_until_its_sell_is_unwound(
    awake: bool, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.holding()
    order = desk.sell()
    slept: list[str] = []
    question = remote_operations._question

    def sleepy(claimed: Claimed) -> remote_operations.Performed:
        if slept:
            return question(claimed)
        slept.append(claimed.operation.key)
        desk.later(minutes=30)
        desk.drive(passes=12)
        assert reloaded(order).state == "manual_review"
        _unwind(order)
        return question(replace(claimed, started=clock.monotonic()) if awake else claimed)

    monkeypatch.setattr(remote_operations, "_question", sleepy)
    drains.drain("sagas")
    assert slept == [f"{order.reference}:credit:v1"]
    assert [kind for kind, _ in desk.wallet.calls].count("ask") == int(awake)
    assert [key for key in desk.wallet.applied if "credit" in key] == []
    assert (reloaded(order).state, trade_of(order).state) == ("failed", "returned")
    assert RemoteAttempt.objects.filter(kind="ask", late=True).count() == 1
    desk.drive(passes=3)
    assert books.path(order.reference)[-1] == "failed"


def test_worker_that_slept_before_its_claim_pays_nothing_for_a_sell_that_was_unwound(desk: Desk) -> None:
    """The gateway resubmits what is absent; but only while the order's state still waits for it."""
    Gateway.objects.update(requery_cap=1, not_found_horizon_ms=1_000)
    desk.holding()
    desk.wallet.legs = {"credit": [lost_before, None]}
    order = desk.sell()
    for _ in range(2):
        sell.advance(reloaded(order))
    stale = reloaded(order)
    assert stale.state == "operator_credit_pending"
    desk.drive(passes=6)
    _unwind(order)
    Gateway.objects.update(resubmit=True, requery_cap=9)
    calls = list(desk.wallet.calls)
    desk.later(minutes=1)
    sell.advance(stale)
    assert desk.wallet.calls == calls
    assert reloaded(order).state == "failed"
    assert [key for key in desk.wallet.applied if "credit" in key] == []


def test_late_confirmation_of_a_credit_is_evidence_and_leaves_an_unwound_sell_failed(desk: Desk) -> None:
    desk.holding()
    desk.wallet.legs = {"credit": [lost_before, None]}
    order = desk.sell()
    desk.drive(passes=12)
    _unwind(order)
    operation = RemoteOperation.objects.get(owner=order.reference)
    assert operation.state == "absent"
    before = books.balances()
    bought = next(iter(desk.wallet.applied.values()))
    desk.wallet.applied[operation.key] = replace(bought, key=operation.key)
    remote_operations.look_up(operation.key)
    desk.drive(passes=3)
    assert RemoteOperation.objects.get(owner=order.reference).state == "confirmed"
    assert reloaded(order).state == "failed"
    assert books.balances() == before


def test_frozen_sell_settles_nothing_and_asks_nothing_until_the_freeze_is_lifted(desk: Desk) -> None:
    desk.holding()
    order = desk.sell()
    at_acceptance = books.balances()
    with db_transaction.atomic():
        freeze_order(order_reference=order.reference, reason="odd", actor="user:lead", now=desk.clock.now())
    desk.drive(passes=20)
    assert reloaded(order).state == "queued"
    assert (books.balances(), desk.wallet.calls) == (at_acceptance, [])
    with db_transaction.atomic():
        lift_freeze(order_reference=order.reference, actor="user:lead", now=desk.clock.now())
    desk.drive(passes=1)
    assert reloaded(order).state == "processed"


def test_nothing_is_asked_when_the_freeze_comes_after_the_credit_was_written_down(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orders import transitions

    desk.holding()
    order = desk.sell()
    request_credit = transitions.request_credit

    def then_frozen(order: Order, **given: object) -> None:
        request_credit(order, **given)  # type: ignore[arg-type]  # passed on as it came
        Freeze.objects.create(subject=order.reference, reason="odd", frozen_by="user:lead", frozen_at=desk.clock.now())

    monkeypatch.setattr(transitions, "request_credit", then_frozen)
    desk.drive(passes=40)
    assert reloaded(order).state == "operator_credit_pending"
    assert desk.wallet.calls == []
    assert RemoteOperation.objects.get(owner=order.reference).state == "prepared"


def test_lookups_of_a_credit_go_on_while_its_order_is_frozen_and_are_evidence_only(desk: Desk) -> None:
    desk.holding()
    desk.wallet.legs = {"credit": [lost_after, server_error, None]}
    order = desk.sell()
    desk.drive(passes=1)
    with db_transaction.atomic():
        freeze_order(order_reference=order.reference, reason="odd", actor="user:lead", now=desk.clock.now())
    at_freeze = books.balances()
    desk.drive(passes=60)
    assert [kind for kind, _ in desk.wallet.calls] == ["ask", "lookup", "lookup"]
    assert RemoteOperation.objects.get(owner=order.reference).state == "confirmed"
    assert (reloaded(order).state, books.balances()) == ("operator_credit_pending", at_freeze)
    with db_transaction.atomic():
        lift_freeze(order_reference=order.reference, actor="user:lead", now=desk.clock.now())
    desk.drive(passes=1)
    assert reloaded(order).state == "processed"
