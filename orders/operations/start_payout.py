"""PAYOUT_SAGA_REQUESTED starts the payout saga: a work row of its own; one that is there already is success (walletflow).

The event was recorded with the hold, in one transaction: it survives a crash (OneWallet, step 6), and the relay passes it
on at least once.
"""

from ledger.controls import bell, clock
from orders.models import Payout, SagaRun
from orders.models.payouts import SAGA_REQUESTED
from webhooks import routing


def start_payout(event: routing.RelayedEvent) -> None:
    """Give the payout a due work row. Safe twice; one that has ended already is left alone."""
    reference = str(event.payload["payout_id"])
    if Payout.objects.filter(reference=reference, state=Payout.State.COMPLETE).exists():
        return
    SagaRun.objects.get_or_create(
        subject=reference, defaults={"environment": event.environment, "available_at": clock.now()}
    )
    bell.ring_after_commit("sagas")


def register() -> None:
    routing.listen(SAGA_REQUESTED, start_payout)
