"""An operator confirms a movement that it had rejected for sure (a terminal state conflict; DESIGN.md section 6, Freeze).

The books hold nothing of that movement. An order that has ended gets a return of its own, a late effect, with the case in
which people decide; one that lives, or whose return is being worked, is frozen until an ops lead has looked. When a frozen
order ends later without the movement, its return is opened then.
"""

from typing import Final

from django.db import transaction as db_transaction

from ledger.controls import clock
from orders.locks import lock_order
from orders.models import Freeze, Order, Return
from orders.operations.open_return import LEGS, open_late_effect
from wallets import contradictions
from webhooks import routing

REASON: Final = "terminal state conflict: {key} was rejected, and confirmed later"
_ENDS: Final = ("order.failed", "order.compensated", "order.processed")


def hear(event: routing.RelayedEvent) -> None:
    """Open a return for an ended order, freeze a living one. Safe twice."""
    owner = str(event.payload["owner"])
    found = Return.objects.filter(reference=owner).values_list("order_reference", flat=True).first()
    if found is None and not Order.objects.filter(reference=owner).exists():
        return
    with db_transaction.atomic():
        order = lock_order(found or owner, even_frozen=True)
        if order.terminal and found is None:
            _open_returns(order, event)
        elif not Freeze.objects.filter(subject=order.reference, lifted_at__isnull=True).exists():
            Freeze.objects.create(
                subject=order.reference,
                reason=REASON.format(key=event.payload["key"])[:200],
                frozen_by="remote door",
                frozen_at=clock.now(),
            )


def hear_end(event: routing.RelayedEvent) -> None:
    """Open the returns of an order that has ended with a contradiction standing. Safe twice."""
    if not contradictions.of(event.aggregate):
        return
    with db_transaction.atomic():
        _open_returns(lock_order(event.aggregate, even_frozen=True), event)


def _open_returns(order: Order, event: routing.RelayedEvent) -> None:
    for one in contradictions.of(order.reference):
        if one.leg in LEGS:
            open_late_effect(
                order, leg=one.leg, amount=one.amount, operation_key=one.key, event=event.reference, now=clock.now()
            )


def register() -> None:
    routing.listen(contradictions.TOPIC, hear)
    for topic in _ENDS:
        routing.listen(topic, hear_end)
