"""Take a scheduled transfer back before it is due: the funds never left."""

from datetime import datetime

from ledger.controls.moves import Why
from ledger.controls.refusals import NotFound
from ledger.controls.rest.caller import Caller
from orders import intent_moves
from orders.locks import lock_intent
from orders.models import Intent, SagaRun


def cancel_transfer(*, caller: Caller, reference: str, now: datetime) -> Intent:
    """Cancel a scheduled transfer; one that is cancelled already stays so. Raises NotFound or IllegalMove."""
    intent = lock_intent(reference, even_frozen=True)
    whose = (intent.operator_id, intent.environment)
    if whose != (caller.operator_id, caller.environment) or intent.kind != Intent.Kind.TRANSFER:
        raise NotFound
    if intent.state != Intent.State.CANCELLED:
        intent_moves.cancel(intent, why=Why(caller.actor, "cancelled by the operator"), now=now)
        SagaRun.objects.filter(subject=reference).delete()
    return intent
