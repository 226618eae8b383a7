"""Cancel payouts that were not confirmed in time: 15 minutes after they were asked for. A kind of work of the drains.

Also those whose recipient was never known: the request died between its two transactions and nobody asked again. A frozen
one waits until its freeze is lifted.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction as db_transaction
from django.db.models import Exists, OuterRef

from ledger.controls import clock, drains
from ledger.controls.moves import Why
from orders import intent_moves
from orders.models import Freeze, Intent

if TYPE_CHECKING:
    from django.db.models import QuerySet

CONFIRM_WITHIN: Final = timedelta(minutes=15)
KIND: Final = "payout_expiry"
_BATCH: Final = 100
_UNCONFIRMED: Final = (Intent.State.CREATED, Intent.State.VALIDATED)


def cancel_unconfirmed() -> int:
    """Cancel a batch of due payouts and return how many."""
    with db_transaction.atomic():
        now = clock.now()
        locked = list(_due(now).select_for_update(skip_locked=True).order_by("expires_at")[:_BATCH])
        frozen = _frozen(locked)  # again, behind the locks: one may have been frozen since the rows were found
        due = [intent for intent in locked if intent.reference not in frozen]
        for intent in due:
            why = Why("schedule", "not confirmed in time")
            intent_moves.cancel(intent, status_reason="not_confirmed", why=why, now=now)
    return len(due)


def register() -> None:
    drains.register(drains.Drain(kind=KIND, work=cancel_unconfirmed, depth=lambda: _due(clock.now()).count()))


def _due(now: datetime) -> "QuerySet[Intent]":
    freezes = Freeze.objects.filter(subject=OuterRef("reference"), lifted_at__isnull=True)
    open_ = Intent.objects.filter(kind=Intent.Kind.PAYOUT, ended_at__isnull=True)  # as its index has them
    return open_.filter(~Exists(freezes), state__in=_UNCONFIRMED, expires_at__lte=now)


def _frozen(intents: list[Intent]) -> set[str]:
    named = [intent.reference for intent in intents]
    return set(Freeze.objects.filter(subject__in=named, lifted_at__isnull=True).values_list("subject", flat=True))
