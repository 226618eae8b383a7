"""Halt a pool: no quotes, no new orders; open reservations fail for sure. And lift it again."""

from datetime import datetime

from ledger.controls.refusals import Refusal
from orders.locks import lock_pool
from orders.models import Pool, PoolHalt


class AlreadyHalted(Refusal):
    """This pool is halted already."""

    code = "already_halted"
    status = 409


class NotHalted(Refusal):
    """This pool is not halted."""

    code = "not_halted"
    status = 409


def halt_pool(*, pool: Pool, reason: str, actor: str, now: datetime) -> PoolHalt:
    """Halt in the caller's transaction. Raises AlreadyHalted."""
    lock_pool(pool.pk)
    if PoolHalt.objects.filter(pool=pool, lifted_at__isnull=True).exists():
        raise AlreadyHalted
    return PoolHalt.objects.create(pool=pool, reason=reason, halted_by=actor, halted_at=now)


def lift_halt(*, pool: Pool, actor: str, now: datetime) -> None:
    """Open the pool again. Raises NotHalted."""
    lock_pool(pool.pk)
    lifted = PoolHalt.objects.filter(pool=pool, lifted_at__isnull=True).update(lifted_by=actor, lifted_at=now)
    if not lifted:
        raise NotHalted
