"""A frozen order takes no step and asks nothing; lookups go on; lifting the freeze lets it go on."""

import pytest
from django.db import transaction as db_transaction

from ledger.controls.refusals import NotFound, Refusal
from orders.locks import OrderFrozen
from orders.models import Freeze, Order, SagaRun
from orders.operations import review_case
from orders.operations.freeze_order import AlreadyFrozen, NotFrozen, freeze_order, lift_freeze
from tests.orders import books
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.wallet import lost_after, lost_before
from wallets.models import RemoteOperation

pytestmark = pytest.mark.usefixtures("database")


def _freeze(desk: Desk, order: Order) -> Freeze:
    with db_transaction.atomic():
        return freeze_order(
            order_reference=order.reference, reason="looks odd", actor="user:lead", now=desk.clock.now()
        )


def _lift(desk: Desk, order: Order) -> None:
    with db_transaction.atomic():
        lift_freeze(order_reference=order.reference, actor="user:lead", now=desk.clock.now())


def test_frozen_order_is_not_advanced_until_the_freeze_is_lifted(desk: Desk) -> None:
    order, other = desk.order("10.00"), desk.order("10.00")
    _freeze(desk, order)
    before = reloaded(order)
    desk.drive(passes=20)
    assert (reloaded(order).state, reloaded(order).version) == (before.state, before.version) == ("queued", 1)
    assert reloaded(other).state == "processed"
    _lift(desk, order)
    desk.drive(passes=1)
    assert reloaded(order).state == "processed"
    assert {key for _, key in desk.wallet.calls} == {f"{o.reference}:debit:v1" for o in (order, other)}


def test_nothing_is_asked_when_the_freeze_comes_after_the_debit_was_written_down(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The freeze falls between the saga's last move and its ask: the claim sees it under the order's lock."""
    from orders import transitions

    order = desk.order()
    request_debit = transitions.request_debit

    def then_frozen(order: Order, **given: object) -> None:
        request_debit(order, **given)  # type: ignore[arg-type]  # passed on as it came
        Freeze.objects.create(subject=order.reference, reason="odd", frozen_by="user:lead", frozen_at=desk.clock.now())

    monkeypatch.setattr(transitions, "request_debit", then_frozen)
    desk.drive(passes=40)
    assert reloaded(order).state == "operator_debit_pending"
    assert desk.wallet.calls == []
    assert RemoteOperation.objects.get().state == "prepared"
    assert SagaRun.objects.get().attempts == 0, "a freeze is no defect"


def test_lookups_go_on_while_an_order_is_frozen_and_are_evidence_only(desk: Desk) -> None:
    desk.wallet.script = [lost_after, None]
    order = desk.order()
    desk.drive(passes=1)
    _freeze(desk, order)
    at_freeze = books.balances()
    desk.drive(passes=25)
    assert [kind for kind, _ in desk.wallet.calls] == ["ask", "lookup"]
    assert RemoteOperation.objects.get().state == "confirmed"
    assert reloaded(order).state == "operator_debit_pending"
    assert books.balances() == at_freeze
    _lift(desk, order)
    desk.drive(passes=1)
    assert reloaded(order).state == "processed"
    assert len(desk.wallet.calls) == 2


def test_frozen_order_is_not_resolved_from_review(desk: Desk) -> None:
    desk.wallet.script = [lost_before, None]
    order = desk.order()
    desk.drive(passes=12)
    case = open_case(order)
    _freeze(desk, order)
    before = books.world()
    with pytest.raises(OrderFrozen):
        review_case.propose_resolution(
            case_reference=case.reference,
            case_version=case.version,
            resolution="debit_absent",
            reason="not there",
            actor="user:ops",
            now=desk.clock.now(),
        )
    assert books.world() == before
    _lift(desk, order)
    assert review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="debit_absent",
        reason="not there",
        actor="user:ops",
        now=desk.clock.now(),
    ).resolved


def test_freezing_twice_and_lifting_nothing_is_refused(desk: Desk) -> None:
    order = desk.order()
    with pytest.raises(NotFrozen):
        _lift(desk, order)
    _freeze(desk, order)
    with pytest.raises(AlreadyFrozen):
        _freeze(desk, order)
    _lift(desk, order)
    row = Freeze.objects.get()
    assert (row.frozen_by, row.lifted_by, row.reason) == ("user:lead", "user:lead", "looks odd")
    refusals: list[type[Refusal]] = [NotFrozen, NotFound]
    for refusal, reference in zip(refusals, [order.reference, "ord_nobody"], strict=True):
        with pytest.raises(refusal), db_transaction.atomic():
            lift_freeze(order_reference=reference, actor="user:lead", now=desk.clock.now())
