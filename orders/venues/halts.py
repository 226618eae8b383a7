"""Whether staff (or a magic value) halted a pool."""

from typing import Final

from ledger.controls import prepared
from orders.models import Pool

_HALTED: Final = "SELECT 1 FROM orders_poolhalt WHERE pool_id = %s AND lifted_at IS NULL"


def is_halted(pool: Pool) -> bool:
    return bool(prepared.rows(_HALTED, [pool.pk]))
