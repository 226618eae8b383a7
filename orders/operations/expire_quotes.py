"""Expire the quotes whose time is over. A kind of work that the drains know."""

from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from orders import transitions
from orders.models import Quote

_BATCH = 100


def expire_quotes() -> int:
    """Expire a batch of due quotes and return how many."""
    with db_transaction.atomic():
        now = clock.now()
        due = list(
            Quote.objects.select_for_update(skip_locked=True)
            .filter(state=Quote.State.ACTIVE, expires_at__lte=now)
            .order_by("expires_at")[:_BATCH]
        )
        for quote in due:
            transitions.expire(quote, now=now)
    return len(due)


def register() -> None:
    drains.register(drains.Drain(kind="quote_expiry", work=expire_quotes, depth=_due))


def _due() -> int:
    return Quote.objects.filter(state=Quote.State.ACTIVE, expires_at__lte=clock.now()).count()
