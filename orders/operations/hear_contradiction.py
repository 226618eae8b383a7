"""An operator confirms a movement that it had rejected for sure (a terminal state conflict; DESIGN.md section 6, Freeze).

The books hold nothing of that movement. An order or a return of it that has ended, or a payout's intent that failed, gets a
return of its own, a late effect, with the case in which people decide; one that lives, or whose return is being worked, is
frozen until an ops lead has looked. When a frozen one ends later without the movement, its return is opened then: a payout's
with its release, an order's with that of trades which its venue executed late.
"""

from contextlib import suppress
from typing import Final

from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.controls.moves import Why
from orders.locks import lock_order, lock_payout
from orders.models import Order, Payout, Return, Trade
from orders.operations.freeze_order import AlreadyFrozen, freeze_intent
from orders.operations.open_return import LEGS, open_late_effect, open_late_execution
from orders.operations.open_return import TOPIC as LATE
from orders.operations.return_payout import ended_unpaid, open_late_payout
from orders.sagas.venue_legs import EXECUTE
from orders.venue_news import freeze_for_conflict
from wallets import contradictions, remote_operations
from webhooks import routing

REASON: Final = "terminal state conflict: {key} was rejected, and confirmed later"
_ENDS: Final = ("order.failed", "order.compensated", "order.processed")


def hear(event: routing.RelayedEvent) -> None:
    """Open a return for an ended order, freeze a living one. Safe twice."""
    owner = str(event.payload["owner"])
    if Payout.objects.filter(reference=owner).exists():
        _hear_of_payout(owner, event)
        return
    reference = order_of(owner)
    if reference is None:
        return
    with db_transaction.atomic():
        order = lock_order(reference, even_frozen=True)
        if order.terminal and owner in _ended_owners(order):
            _open_returns(order, event)
        elif order.terminal and event.payload["leg"] == EXECUTE:
            trade = Trade.objects.select_for_update().get(reference=owner)
            key = str(event.payload["key"])
            open_late_execution(order, trade, operation_key=key, event=event.reference, now=clock.now())
        else:
            freeze_for_conflict(order, REASON.format(key=event.payload["key"]))


def hear_late_execution(event: routing.RelayedEvent) -> None:
    """A trade that was given up is executed after all: the venue holds what our books do not know. Safe twice.

    An order that has ended gets a return of its own; one that lives (its trade is tried once more) is frozen.
    """
    if event.payload["leg"] != EXECUTE:
        return
    trade = Trade.objects.filter(reference=str(event.payload["owner"])).first()
    if trade is None:
        return
    with db_transaction.atomic():
        order = lock_order(trade.order_reference, even_frozen=True)
        trade = Trade.objects.select_for_update().get(pk=trade.pk)
        if trade.state not in (Trade.State.RELEASED, Trade.State.FAILED):
            return
        if order.terminal:
            key = str(event.payload["key"])
            open_late_execution(order, trade, operation_key=key, event=event.reference, now=clock.now())
        else:
            reason = f"terminal state conflict: {trade.reference} is {trade.state}, and was executed late"
            freeze_for_conflict(order, reason)


def order_of(owner: str) -> str | None:
    """Return the order that a movement belongs to: its own, its return's or its trade's; None: no order's."""
    returned = Return.objects.filter(reference=owner).values_list("order_reference", flat=True).first()
    traded = Trade.objects.filter(reference=owner).values_list("order_reference", flat=True).first()
    if found := returned or traded:
        return found
    return owner if Order.objects.filter(reference=owner).exists() else None


def hear_end(event: routing.RelayedEvent) -> None:
    """Open the returns of an order that has ended with a contradiction standing, or a late execution. Safe twice."""
    executed = _executed_late(event.aggregate)
    if not executed and not contradictions.of(event.aggregate):
        return
    with db_transaction.atomic():
        order = lock_order(event.aggregate, even_frozen=True)
        _open_returns(order, event)
        for trade_reference, key in executed.items():
            trade = Trade.objects.select_for_update().get(reference=trade_reference)
            open_late_execution(order, trade, operation_key=key, event=event.reference, now=clock.now())


def hear_end_of_return(event: routing.RelayedEvent) -> None:
    """Open the returns of a return that has ended with a contradiction standing. Safe twice."""
    ended = event.payload["return_status"] in (Return.State.GIVEN_BACK, Return.State.KEPT, Return.State.DISMISSED)
    if not ended or not contradictions.of(event.aggregate):
        return
    with db_transaction.atomic():
        _open_returns(lock_order(str(event.payload["order_id"]), even_frozen=True), event)


def _executed_late(order_reference: str) -> dict[str, str]:
    """Return the keys under which a venue executed trades that the order gave up, by trade."""
    given_up = Trade.objects.filter(
        order_reference=order_reference,
        state__in=(Trade.State.RELEASED, Trade.State.FAILED),
        terms__has_key="venue_quote",
    )
    found: dict[str, str] = {}
    for trade in given_up.values_list("reference", flat=True):
        known = remote_operations.standing(owner=trade, leg=EXECUTE)
        if known is not None and known.confirmed:
            found[trade] = known.key
        for one in contradictions.of(trade):
            if one.leg == EXECUTE:
                found[trade] = one.key
    return found


def _hear_of_payout(reference: str, event: routing.RelayedEvent) -> None:
    key = str(event.payload["key"])
    with db_transaction.atomic():
        intent, payout = lock_payout(reference, even_frozen=True)
        if ended_unpaid(intent):
            cause = f"submit rejected, and confirmed after the intent {intent.state}"
            why = Why("remote door", cause, event=event.reference)
            open_late_payout(intent=intent, payout=payout, operation_key=key, why=why, now=clock.now())
            return
        with suppress(AlreadyFrozen):
            freeze_intent(
                intent_reference=intent.reference,
                reason=REASON.format(key=key)[:200],
                actor="remote door",
                now=clock.now(),
            )


def _ended_owners(order: Order) -> list[str]:
    """Return an ended order and those of its returns that have ended."""
    returns = Return.objects.filter(order_reference=order.reference).order_by("pk")
    return [order.reference, *(one.reference for one in returns if one.terminal)]


def _open_returns(order: Order, event: routing.RelayedEvent) -> None:
    for one in (one for owner in _ended_owners(order) for one in contradictions.of(owner)):
        if one.leg in LEGS:
            open_late_effect(
                order, leg=one.leg, amount=one.amount, operation_key=one.key, event=event.reference, now=clock.now()
            )


def register() -> None:
    routing.listen(contradictions.TOPIC, hear)
    routing.listen(LATE, hear_late_execution)
    for topic in _ENDS:
        routing.listen(topic, hear_end)
    routing.listen("order.returned", hear_end_of_return)
