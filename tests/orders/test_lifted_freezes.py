"""Whatever waits because of a freeze goes on when that is lifted, in that instant: no time passes in these tests after it."""

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from orders.models import Order, Return, SagaRun
from orders.operations.freeze_order import freeze_intent, freeze_order, lift_freeze, lift_intent_freeze
from tests.orders.desk import Desk, reloaded
from tests.orders.lanes import Lanes, trades_of
from tests.orders.payouts import PayoutDesk, payout_of
from tests.orders.payouts import reloaded as intent_again
from tests.orders.test_operation_news import Wallet, key_of, pending_order
from tests.orders.test_operation_news import judged as judged_of_the_wallet
from tests.orders.test_operation_news import telling as telling_of_the_wallet
from tests.orders.test_payout_news import Bank, paid, settled
from tests.orders.test_payout_news import telling as telling_of_the_bank
from tests.orders.test_returns import _ready_to_give_back
from tests.orders.test_venue_news import Telling, executing, lanes
from tests.orders.test_venue_news import telling as telling_of_the_venue
from tests.orders.wallet import ScriptedWallet, declined
from wallets.models import Gateway, RemoteOperation
from webhooks.models import InboundEvent

pytestmark = pytest.mark.usefixtures("database")

__all__ = ["lanes", "telling_of_the_bank", "telling_of_the_venue", "telling_of_the_wallet"]


def _freeze(order_reference: str) -> None:
    with db_transaction.atomic():
        freeze_order(order_reference=order_reference, reason="look", actor="user:lea", now=clock.now())


def _lift(order_reference: str) -> None:
    with db_transaction.atomic():
        lift_freeze(order_reference=order_reference, actor="user:lea", now=clock.now())


def _freeze_intent(reference: str) -> None:
    with db_transaction.atomic():
        freeze_intent(intent_reference=reference, reason="look", actor="user:lea", now=clock.now())


def _lift_intent(reference: str) -> None:
    with db_transaction.atomic():
        lift_intent_freeze(intent_reference=reference, actor="user:lea", now=clock.now())


def _is_not_due(subject: str) -> bool:
    return SagaRun.objects.get(subject=subject).available_at > clock.now()


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_an_order_takes_its_next_step(side: str, desk: Desk) -> None:
    if side == "sell":
        desk.holding()
    order = desk.order() if side == "buy" else desk.sell()
    _freeze(order.reference)
    desk.drive(passes=3)
    assert (reloaded(order).state, _is_not_due(order.reference)) == ("queued", True)
    _lift(order.reference)
    drains.drain("sagas")
    assert reloaded(order).state == "processed"


def test_a_reservation_at_a_venue_is_released(desk: Desk, lanes: Lanes) -> None:
    """Its trade has a work row of its own, which outlives the order."""
    desk.wallet.legs = {"debit": [declined]}
    order = lanes.order()
    desk.wallet.calls.clear()
    while reloaded(order).state != "operator_debit_pending":
        _step(order)
    Gateway.objects.filter(channel="venue:north").update(paused_until=clock.now().replace(year=2027))
    drains.drain("sagas")
    assert reloaded(order).state == "failed"
    (trade,) = trades_of(order)
    _freeze(order.reference)
    Gateway.objects.update(paused_until=None)
    desk.drive(passes=3)
    release = RemoteOperation.objects.get(owner=trade.reference, leg="release")
    assert (release.state, _is_not_due(trade.reference)) == ("prepared", True), "nothing is asked for a frozen order"
    _lift(order.reference)
    drains.drain("sagas")
    assert RemoteOperation.objects.get(pk=release.pk).state == "confirmed"
    assert not SagaRun.objects.exists()


def _step(order: Order) -> None:
    from orders.sagas import buy

    buy.advance(reloaded(order))


def test_a_return_is_given_back(desk: Desk) -> None:
    found = _ready_to_give_back(desk, [None], number=0)
    _freeze(found.order_reference)
    desk.drive(passes=3)
    assert _is_not_due(found.reference)
    assert RemoteOperation.objects.get(owner=found.reference).state == "prepared"
    _lift(found.order_reference)
    drains.drain("sagas")
    assert Return.objects.get(pk=found.pk).state == "given_back"


def test_a_payout_is_submitted(payouts: PayoutDesk) -> None:
    intent = payouts.pay("1000.00")
    drains.drain("relay")
    _freeze_intent(intent.reference)
    payouts.drive(passes=3)
    payout = payout_of(intent)
    assert (payout.state, _is_not_due(payout.reference)) == ("reserved", True)
    _lift_intent(intent.reference)
    drains.drain("sagas")
    assert (payout_of(intent).state, intent_again(intent).state) == ("complete", "settled")


def test_an_event_of_the_wallet_is_heard(desk: Desk, wallet: ScriptedWallet, telling_of_the_wallet: Wallet) -> None:
    order = pending_order(desk, wallet)
    _freeze(order.reference)
    telling_of_the_wallet.tell(key_of(order))
    drains.drain("inbox")
    assert judged_of_the_wallet() == ("parked", f"{order.reference} is frozen")
    _lift(order.reference)
    drains.drain("inbox")
    assert judged_of_the_wallet()[0] == "applied"


def test_an_event_of_the_venue_is_heard(desk: Desk, lanes: Lanes, telling_of_the_venue: Telling) -> None:
    trade = executing(desk, lanes)
    _freeze(trade.order_reference)
    by_quote = telling_of_the_venue.tell("settled", quote_id=trade.quote_reference)
    assert by_quote == telling_of_the_venue.tell("settled", transact_id=trade.reference)
    assert by_quote == ("parked", f"{trade.order_reference} is frozen")
    _lift(trade.order_reference)
    drains.drain("inbox")
    assert list(InboundEvent.objects.values_list("state", flat=True)) == ["applied", "applied"]


def test_what_is_parked_for_another_reason_or_another_order_waits_on(
    desk: Desk, lanes: Lanes, telling_of_the_venue: Telling
) -> None:
    trade = executing(desk, lanes)
    telling_of_the_venue.tell("settled", transact_id="trd_of_somebody")
    waits = InboundEvent.objects.values("attempts", "available_at").get()
    _freeze(trade.order_reference)
    _lift(trade.order_reference)
    drains.drain("inbox")
    assert InboundEvent.objects.values("attempts", "available_at").get() == waits


def test_a_payment_that_came_back_is_heard_by_event_and_by_read(payouts: PayoutDesk, telling_of_the_bank: Bank) -> None:
    intent = settled(payouts)
    _freeze_intent(intent.reference)
    heard = telling_of_the_bank.gave_back(intent, "brt_1", amount="400.00")
    assert heard == ("parked", f"{payout_of(intent).reference} is frozen")
    _lift_intent(intent.reference)
    drains.drain("inbox")
    assert int(Return.objects.get().amount_minor) == 40_000


def test_a_payment_that_a_read_found_back_is_read_again(payouts: PayoutDesk, telling_of_the_bank: Bank) -> None:
    intent = paid(payouts, "magic-returned.somchai")
    assert intent.state == "settled"
    _freeze_intent(intent.reference)
    payouts.later(days=1, hours=1)
    drains.drain("payout_returns")
    assert not Return.objects.exists(), "it was read, and found back"
    assert RemoteOperation.objects.filter(read_due_at__gt=clock.now()).count() == 1
    _lift_intent(intent.reference)
    drains.drain("payout_returns")
    assert int(Return.objects.get().amount_minor) == 100_000
