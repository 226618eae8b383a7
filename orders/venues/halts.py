"""Whether staff (or a magic value) halted a pool."""

from orders.models import Pool, PoolHalt


def is_halted(pool: Pool) -> bool:
    return PoolHalt.objects.filter(pool=pool, lifted_at__isnull=True).exists()
