"""Keep with orders what a close made of them. The only thing of an order that reconciliation changes."""

from collections.abc import Sequence

from django.db import transaction as db_transaction

from orders.models import Order


def mark_reconciled(*, references: Sequence[str], state: Order.Reconciliation) -> int:
    """Set the reconciliation state of these orders, unless their day is closed; return how many changed.

    One statement after their locks, in one order for all. Not a move: version, state and events stay as they are.
    """
    with db_transaction.atomic():
        locked = (
            Order.objects.select_for_update(no_key=True)
            .filter(reference__in=references)
            .exclude(reconciliation_state__in=[state, Order.Reconciliation.CLOSED])
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        return Order.objects.filter(pk__in=list(locked)).update(reconciliation_state=state)


def reopen_reconciled(*, references: Sequence[str]) -> int:
    """Take back that the day of these orders is closed: two people opened it again. Returns how many changed."""
    with db_transaction.atomic():
        locked = (
            Order.objects.select_for_update(no_key=True)
            .filter(reference__in=references, reconciliation_state=Order.Reconciliation.CLOSED)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        return Order.objects.filter(pk__in=list(locked)).update(reconciliation_state=Order.Reconciliation.OPEN)
