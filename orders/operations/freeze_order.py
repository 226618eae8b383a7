"""Freeze an order or intent: no step, no ask, until the freeze is lifted; lookups go on. Not a state."""

from collections.abc import Sequence
from datetime import datetime

from ledger.controls import bell
from ledger.controls.refusals import Refusal
from orders.locks import lock_intent, lock_order
from orders.models import Freeze, Payout, Return, SagaRun


class AlreadyFrozen(Refusal):
    """This is frozen already."""

    code = "already_frozen"
    status = 409


class NotFrozen(Refusal):
    """This is not frozen."""

    code = "not_frozen"
    status = 409


def freeze_order(*, order_reference: str, reason: str, actor: str, now: datetime) -> Freeze:
    """Freeze in the caller's transaction. Raises NotFound or AlreadyFrozen."""
    lock_order(order_reference, even_frozen=True)
    return _freeze(order_reference, reason=reason, actor=actor, now=now)


def freeze_intent(*, intent_reference: str, reason: str, actor: str, now: datetime) -> Freeze:
    """Freeze a transfer or payout in the caller's transaction. Raises NotFound or AlreadyFrozen."""
    lock_intent(intent_reference, even_frozen=True)
    return _freeze(intent_reference, reason=reason, actor=actor, now=now)


def lift_freeze(*, order_reference: str, actor: str, now: datetime) -> None:
    """Let the saga go on. Raises NotFrozen."""
    lock_order(order_reference, even_frozen=True)
    returns = Return.objects.filter(order_reference=order_reference).values_list("reference", flat=True)
    _lift(order_reference, [order_reference, *returns], actor=actor, now=now)


def lift_intent_freeze(*, intent_reference: str, actor: str, now: datetime) -> None:
    """Let the saga go on: the transfer's, or the payout's. Raises NotFrozen."""
    lock_intent(intent_reference, even_frozen=True)
    payouts = Payout.objects.filter(intent_reference=intent_reference).values_list("reference", flat=True)
    _lift(intent_reference, [intent_reference, *payouts], actor=actor, now=now)


def _freeze(reference: str, *, reason: str, actor: str, now: datetime) -> Freeze:
    if Freeze.objects.filter(subject=reference, lifted_at__isnull=True).exists():
        raise AlreadyFrozen
    return Freeze.objects.create(subject=reference, reason=reason, frozen_by=actor, frozen_at=now)


def _lift(reference: str, driven: Sequence[str], *, actor: str, now: datetime) -> None:
    lifted = Freeze.objects.filter(subject=reference, lifted_at__isnull=True).update(lifted_by=actor, lifted_at=now)
    if not lifted:
        raise NotFrozen
    held = SagaRun.objects.filter(subject__in=driven)
    held.update(available_at=now, lease_until=None, lease_token="")
    bell.ring_after_commit("sagas")
