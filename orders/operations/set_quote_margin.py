"""Say by how much a pair's quotes stay below its curve: so much may others' orders move it before a quote is refused."""

from ledger.controls.refusals import Malformed
from orders.locks import lock_pool
from orders.models import Pool

MOST_BPS = 1_000


def set_quote_margin(*, pool: Pool, basis_points: int) -> None:
    """Change it in the caller's transaction: quotes made from now on have it. Raises Malformed."""
    if pool.kind != Pool.Kind.CONSTANT_PRODUCT or not 0 <= basis_points <= MOST_BPS:
        raise Malformed(f"A built-in pair has a margin of 0 to {MOST_BPS} basis points, another pool none.")
    lock_pool(pool.pk)
    Pool.objects.filter(pk=pool.pk).update(quote_margin_bps=basis_points)
