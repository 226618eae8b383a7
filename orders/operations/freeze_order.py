"""Freeze an order or intent: no step, no ask, until the freeze is lifted; lookups go on. Not a state."""

from dataclasses import dataclass
from datetime import datetime

from ledger.controls import bell
from ledger.controls.refusals import Refusal
from orders.locks import lock_intent, lock_order
from orders.models import Freeze, Payout, Return, SagaRun, Trade
from orders.operations import read_returns
from wallets import payment_reads, remote_operations
from webhooks import inbox_worker


class AlreadyFrozen(Refusal):
    """This is frozen already."""

    code = "already_frozen"
    status = 409


class NotFrozen(Refusal):
    """This is not frozen."""

    code = "not_frozen"
    status = 409


@dataclass(frozen=True, slots=True)
class _Held:
    """What a freeze holds up: all that has work rows of its own, and by what else events name it."""

    frozen: str
    environment: str
    driven: tuple[str, ...]
    named: tuple[str, ...] = ()


def freeze_order(*, order_reference: str, reason: str, actor: str, now: datetime) -> Freeze:
    """Freeze in the caller's transaction. Raises NotFound or AlreadyFrozen."""
    lock_order(order_reference, even_frozen=True)
    return _freeze(order_reference, reason=reason, actor=actor, now=now)


def freeze_intent(*, intent_reference: str, reason: str, actor: str, now: datetime) -> Freeze:
    """Freeze a transfer or payout in the caller's transaction. Raises NotFound or AlreadyFrozen."""
    lock_intent(intent_reference, even_frozen=True)
    return _freeze(intent_reference, reason=reason, actor=actor, now=now)


def lift_freeze(*, order_reference: str, actor: str, now: datetime) -> None:
    """Let all that waited for it go on at once: the saga, its returns, releases of its trades, events. Raises NotFrozen."""
    order = lock_order(order_reference, even_frozen=True)
    returns = Return.objects.filter(order_reference=order_reference).values_list("reference", flat=True)
    trades = Trade.objects.filter(order_reference=order_reference).values_list("reference", flat=True)
    held = _Held(order_reference, order.environment, (order_reference, *returns, *trades), (order.quote_reference,))
    _lift(held, actor=actor, now=now)


def lift_intent_freeze(*, intent_reference: str, actor: str, now: datetime) -> None:
    """Let all that waited for it go on at once: the transfer, or the payout, its returns, reads, events. Raises NotFrozen."""
    intent = lock_intent(intent_reference, even_frozen=True)
    payouts = Payout.objects.filter(intent_reference=intent_reference).values_list("reference", flat=True)
    returns = Return.objects.filter(intent_reference=intent_reference).values_list("reference", flat=True)
    held = _Held(intent_reference, intent.environment, (intent_reference, *payouts, *returns))
    _lift(held, actor=actor, now=now)


def _freeze(reference: str, *, reason: str, actor: str, now: datetime) -> Freeze:
    if Freeze.objects.filter(subject=reference, lifted_at__isnull=True).exists():
        raise AlreadyFrozen
    return Freeze.objects.create(subject=reference, reason=reason, frozen_by=actor, frozen_at=now)


def _lift(held: _Held, *, actor: str, now: datetime) -> None:
    freezes = Freeze.objects.filter(subject=held.frozen, lifted_at__isnull=True)
    if not freezes.update(lifted_by=actor, lifted_at=now):
        raise NotFrozen
    rows = SagaRun.objects.filter(subject__in=held.driven)
    rows.update(available_at=now, lease_until=None, lease_token="")
    bell.ring_after_commit("sagas")
    if payment_reads.hasten(held.driven, now=now):
        bell.ring_after_commit(read_returns.KIND)
    named = [*held.driven, *held.named, *remote_operations.keys_of(held.driven)]
    inbox_worker.wake(named, environment=held.environment, now=now)
