"""Freeze an order: no step, no ask, until the freeze is lifted; lookups go on. Not a state."""

from datetime import datetime

from ledger.controls import bell
from ledger.controls.refusals import Refusal
from orders.locks import lock_order
from orders.models import Freeze, Return, SagaRun


class AlreadyFrozen(Refusal):
    """This order is frozen already."""

    code = "already_frozen"
    status = 409


class NotFrozen(Refusal):
    """This order is not frozen."""

    code = "not_frozen"
    status = 409


def freeze_order(*, order_reference: str, reason: str, actor: str, now: datetime) -> Freeze:
    """Freeze in the caller's transaction. Raises NotFound or AlreadyFrozen."""
    lock_order(order_reference, even_frozen=True)
    if Freeze.objects.filter(subject=order_reference, lifted_at__isnull=True).exists():
        raise AlreadyFrozen
    return Freeze.objects.create(subject=order_reference, reason=reason, frozen_by=actor, frozen_at=now)


def lift_freeze(*, order_reference: str, actor: str, now: datetime) -> None:
    """Let the saga go on. Raises NotFrozen."""
    lock_order(order_reference, even_frozen=True)
    lifted = Freeze.objects.filter(subject=order_reference, lifted_at__isnull=True).update(
        lifted_by=actor, lifted_at=now
    )
    if not lifted:
        raise NotFrozen
    returns = Return.objects.filter(order_reference=order_reference).values_list("reference", flat=True)
    held = SagaRun.objects.filter(subject__in=[order_reference, *returns])
    held.update(available_at=now, lease_until=None, lease_token="")
    bell.ring_after_commit("sagas")
