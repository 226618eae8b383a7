"""Take a scheduled transfer back before it is due: the funds never left."""

from datetime import datetime

from ledger.controls.moves import Why
from ledger.controls.refusals import NotFound
from ledger.controls.rest.caller import Caller
from orders import intent_moves
from orders.locks import lock_intent
from orders.models import Intent, SagaRun


def cancel_transfer(*, caller: Caller, reference: str, now: datetime) -> Intent:
    """Cancel a scheduled transfer; one that is cancelled already stays so. Raises NotFound, IntentFrozen or IllegalMove."""
    mine = Intent.objects.filter(
        reference=reference,
        operator_id=caller.operator_id,
        environment=caller.environment,
        kind=Intent.Kind.TRANSFER,
    )
    if not mine.exists():
        raise NotFound  # before any lock: nobody holds up what is not theirs
    intent = lock_intent(reference)
    if intent.state != Intent.State.CANCELLED:
        intent_moves.cancel(intent, why=Why(caller.actor, "cancelled by the operator"), now=now)
        SagaRun.objects.filter(subject=reference).delete()
    return intent
