"""An operator confirms what it had rejected for sure: a terminal state conflict, which nobody may overlook.

Nothing terminal is overwritten. An ended order gets a return of its own with a case; a living one is frozen.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.controls.moves import OutsideTransaction
from ledger.models import Event
from orders.models import Freeze, Intent, Return
from orders.operations import hear_contradiction
from orders.operations.freeze_order import lift_freeze, lift_intent_freeze
from orders.sagas import payout as payout_saga
from tests.orders import books
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.payouts import PayoutDesk, payout_of
from tests.orders.test_returns import decide
from tests.orders.test_sell_reviews import _approve, _propose
from tests.orders.wallet import ScriptedWallet, Step, declined
from wallets import contradictions
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import RemoteAttempt, RemoteOperation
from wallets.outcomes import Confirmed
from webhooks import routing

pytestmark = pytest.mark.usefixtures("database")


def _overtaken(desk: Desk | PayoutDesk, meanwhile: Callable[[], None]) -> Step:
    """Confirm, but late: others have looked the key up, found it rejected, and gone on."""

    def answer(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        wallet.legs[request.leg] = [declined]
        desk.later(minutes=1)
        meanwhile()
        wallet.refused.pop(request.key, None)
        wallet.applied[request.key] = request
        return Reply(Confirmed(f"w-{request.key}"), 200)

    return answer


def test_return_is_opened_when_a_rejected_debit_is_confirmed_after_the_order_failed(desk: Desk) -> None:
    desk.wallet.legs["debit"] = [_overtaken(desk, lambda: desk.drive(passes=2))]
    order = desk.order()
    drains.drain("sagas")
    assert (reloaded(order).state, reloaded(order).status_reason) == ("failed", "debit_declined")
    operation = RemoteOperation.objects.get()
    assert operation.state == "rejected", "what is terminal stays"
    assert RemoteAttempt.objects.filter(outcome="confirmed", late=True).count() == 1
    before = books.balances()
    drains.drain("relay")
    found = Return.objects.get()
    assert (found.kind, found.leg, found.operation_key) == ("late_effect", "debit", operation.key)
    assert open_case(order.__class__(reference=found.reference)).reason == "late_debit"
    assert books.balances() == before, "nothing is booked before people say that it is so"
    assert not Freeze.objects.exists(), "people must be able to work the return"
    assert decide(found.reference, "adjust")
    assert reloaded(order).state == "failed"


def test_each_contradiction_is_told_in_the_house_alone_and_moves_nothing(desk: Desk) -> None:
    desk.wallet.legs["debit"] = [declined]
    order = desk.order()
    desk.drive(passes=2, pause=timedelta(seconds=1))
    operation = RemoteOperation.objects.get()
    assert operation.state == "rejected"
    before = (books.lines(), books.path(operation.reference), operation.version)
    with pytest.raises(OutsideTransaction):
        contradictions.told(operation, attempt=2, now=clock.now())
    for attempt in (2, 3):
        with db_transaction.atomic():
            contradictions.told(operation, attempt=attempt, now=clock.now())
    events = Event.objects.filter(topic="remote_operation.contradicted").order_by("sequence")
    assert [(event.aggregate, event.sequence, event.public, event.payload) for event in events] == [
        (
            operation.reference,
            operation.version + attempt,
            False,
            {"key": f"{order.reference}:debit:v1", "owner": order.reference, "leg": "debit"},
        )
        for attempt in (2, 3)
    ]
    with pytest.raises(IntegrityError), db_transaction.atomic():  # the same answer, told twice
        contradictions.told(operation, attempt=3, now=clock.now())
    operation = RemoteOperation.objects.get()
    assert (books.lines(), books.path(operation.reference), operation.version) == before
    assert contradictions.of(order.reference) == [], "told or not, what counts is the stored answer"


def test_one_return_is_opened_when_the_relay_tells_it_twice(desk: Desk) -> None:
    told: list[routing.RelayedEvent] = []
    desk.wallet.legs["debit"] = [_overtaken(desk, lambda: desk.drive(passes=2))]
    desk.order()
    drains.drain("sagas")
    routing.listen(contradictions.TOPIC, told.append)
    try:
        drains.drain("relay")
    finally:
        routing.silence(contradictions.TOPIC, told.append)
    assert [event.payload["leg"] for event in told] == ["debit"]
    hear_contradiction.hear(told[0])
    assert Return.objects.count() == 1


def test_living_order_is_frozen_when_a_rejected_reverse_is_confirmed(desk: Desk) -> None:
    """Else people could have it given back a second time, under the next version of its key."""
    desk.wallet.legs["reverse"] = [_overtaken(desk, lambda: desk.drive(passes=2))]
    order = desk.order("100.00", user="magic-halt.alice")
    drains.drain("sagas")
    assert reloaded(order).state == "manual_review"
    drains.drain("relay")
    freeze = Freeze.objects.get(subject=order.reference, lifted_at__isnull=True)
    assert freeze.reason == f"terminal state conflict: {order.reference}:reverse:v1 was rejected, and confirmed later"
    with pytest.raises(Exception, match="frozen"):
        decide(order.reference, "compensate_again")
    assert [key for kind, key in desk.wallet.calls if kind == "ask"][1:] == [f"{order.reference}:reverse:v1"]


def test_return_is_opened_at_the_end_of_an_order_that_was_frozen_for_a_contradiction(desk: Desk) -> None:
    """Two people settle the debit outside, not knowing: what the wallet did give back is a return then."""
    desk.wallet.legs["reverse"] = [_overtaken(desk, lambda: desk.drive(passes=2))]
    order = desk.order("100.00", user="magic-halt.alice")
    drains.drain("sagas")
    drains.drain("relay")
    with db_transaction.atomic():
        lift_freeze(order_reference=order.reference, actor="user:lead", now=clock.now())
    assert decide(order.reference, "compensation_settled_outside", second="user:lena")
    assert reloaded(order).state == "compensated"
    drains.drain("relay")
    found = Return.objects.get()
    assert (found.leg, found.operation_key) == ("reverse", f"{order.reference}:reverse:v1")


def test_credit_that_was_rejected_and_paid_again_is_a_late_effect_when_it_is_confirmed(desk: Desk) -> None:
    """Both versions reached the user: the second belongs to the order, the first is a return."""
    desk.holding()
    late: list[Step | None] = []

    def pay_again() -> None:
        desk.drive(passes=2)
        _propose(order, "credit_again")
        _approve(order)
        desk.wallet.legs["credit"] = [None]
        desk.drive(passes=1)
        assert reloaded(order).state == "processed"

    late.append(_overtaken(desk, pay_again))
    desk.wallet.legs["credit"] = late
    order = desk.sell()
    drains.drain("sagas")
    drains.drain("relay")
    assert set(desk.wallet.applied) >= {f"{order.reference}:credit:v1", f"{order.reference}:credit:v2"}
    assert Return.objects.get().operation_key == f"{order.reference}:credit:v1"


def test_nothing_is_opened_when_an_order_ends_without_a_contradiction(desk: Desk) -> None:
    desk.wallet.legs["debit"] = [declined]
    desk.order()
    desk.drive(passes=2, pause=timedelta(seconds=1))
    drains.drain("relay")
    assert not Return.objects.exists()
    assert not Freeze.objects.exists()


def test_return_is_opened_when_a_rejected_payout_is_confirmed_after_the_intent_failed(payouts: PayoutDesk) -> None:
    payouts.bank.legs["submit"] = [_overtaken(payouts, lambda: payouts.drive(passes=2))]
    intent = payouts.pay("1000.00")
    payouts.drive(passes=1)
    assert (Intent.objects.get().state, Intent.objects.get().status_reason) == ("failed", "payout_declined")
    assert RemoteOperation.objects.get().state == "rejected", "what is terminal stays"
    drains.drain("relay")
    found = Return.objects.get()
    assert (found.kind, found.leg, found.intent_reference) == ("late_effect", "submit", intent.reference)
    assert found.operation_key == RemoteOperation.objects.get().key
    assert payouts.money() == (1_000_000, 0), "nothing is booked before people say that it is so"
    assert not Freeze.objects.exists(), "people must be able to work the return"


def test_living_payout_is_frozen_and_its_return_opened_with_the_release(payouts: PayoutDesk) -> None:
    """The contradiction is told between the rejection and the release."""
    intent = payouts.pay("1000.00")

    def find_it_rejected() -> None:
        payout_saga.advance(payout_of(intent))

    payouts.bank.legs["submit"] = [_overtaken(payouts, find_it_rejected)]
    payout_saga.advance(payout_of(intent))
    payout_saga.advance(payout_of(intent))
    key = RemoteOperation.objects.get(state="rejected").key
    drains.drain("relay")
    freeze = Freeze.objects.get(subject=intent.reference, lifted_at__isnull=True)
    assert freeze.reason == f"terminal state conflict: {key} was rejected, and confirmed later"
    payouts.drive(passes=2)
    assert (payout_of(intent).state, payouts.money()) == ("releasing", (1_000_000, 100_000))
    assert not Return.objects.exists()
    with db_transaction.atomic():
        lift_intent_freeze(intent_reference=intent.reference, actor="user:lead", now=clock.now())
    payouts.drive(passes=2)
    assert Intent.objects.get().state == "failed"
    assert Return.objects.get().operation_key == key
    assert payouts.money() == (1_000_000, 0)
