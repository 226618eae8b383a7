"""Cancel payouts that were not confirmed in time: 15 minutes after they were asked for. A kind of work of the drains.

Also those whose recipient was never known: the request died between its two transactions and nobody asked again.
"""

from datetime import timedelta
from typing import Final

from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.controls.moves import Why
from orders import intent_moves
from orders.models import Intent

CONFIRM_WITHIN: Final = timedelta(minutes=15)
KIND: Final = "payout_expiry"
_BATCH: Final = 100
_UNCONFIRMED: Final = (Intent.State.CREATED, Intent.State.VALIDATED)


def cancel_unconfirmed() -> int:
    """Cancel a batch of due payouts and return how many."""
    with db_transaction.atomic():
        now = clock.now()
        due = list(
            Intent.objects.select_for_update(skip_locked=True)
            .filter(kind=Intent.Kind.PAYOUT, state__in=_UNCONFIRMED, expires_at__lte=now)
            .order_by("expires_at")[:_BATCH]
        )
        for intent in due:
            why = Why("schedule", "not confirmed in time")
            intent_moves.cancel(intent, status_reason="not_confirmed", why=why, now=now)
    return len(due)


def register() -> None:
    drains.register(drains.Drain(kind=KIND, work=cancel_unconfirmed, depth=_due))


def _due() -> int:
    return Intent.objects.filter(kind=Intent.Kind.PAYOUT, state__in=_UNCONFIRMED, expires_at__lte=clock.now()).count()
