"""Trusted status reads: what has no known outcome is asked for before anything becomes an exception (0Pools, close checklist).

Each remote operation of the window whose fate a lookup may still tell is looked up once, by its key; the answer is stored
evidence, and its owner's saga goes on from it. Payments confirmed lately are read once more after the window's end: one that
came back without a word gets the same return as if the bank had told it. No money moves here. A gateway that does not answer
is left alone, and a run does not wait for ever: what is not read now is read by the next run, and by the sagas' own requery
meanwhile.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import connection

from ledger.controls import bell, clock
from orders.operations import read_returns
from reconciliation.windows import Window
from wallets import payment_reads
from wallets.status_reads import read_status

_MOST: Final = 500
_MOST_SECONDS: Final = 120.0
_READ_LATELY: Final = timedelta(hours=1)

# Asked and not known, of this date or before it: the trade, return or payout behind it may belong to this close.
_OPEN = """
SELECT p.key FROM wallets_remoteoperation p
WHERE p.environment = %(environment)s AND p.state IN ('asked', 'unknown', 'absent') AND p.created_at < %(to)s
  AND (p.state <> 'absent' OR p.updated_at >= %(from)s)
ORDER BY p.created_at DESC, p.id DESC LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Reads:
    """How many were asked for, and how many have a known outcome now; and of the payments read again, how many came back."""

    asked: int
    resolved: int
    read_again: int = 0
    came_back: int = 0


def read(*, window: Window, keep: Callable[[], None]) -> Reads:
    """Look up what has no known outcome; `keep` is called between two. Outside any transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, {**window.parameters(), "most": _MOST})
        keys = [row[0] for row in cursor.fetchall()]
    until = clock.monotonic() + _MOST_SECONDS
    asked = resolved = 0
    for key in keys:
        if clock.monotonic() > until:
            break
        keep()
        asked += 1
        resolved += read_status(key)
    if resolved:
        bell.ring_after_commit("sagas")
    again, back = _read_payments(window, until=until, keep=keep)
    return Reads(asked=asked, resolved=resolved, read_again=again, came_back=back)


def _read_payments(window: Window, *, until: float, keep: Callable[[], None]) -> tuple[int, int]:
    """Read each payment once after the window's end; in a window that is not over, once an hour."""
    latest = min(window.end, clock.now() - _READ_LATELY)
    again = back = 0
    for paid in payment_reads.confirmed_before(environment=window.environment, before=latest, most=_MOST):
        if clock.monotonic() > until:
            break
        keep()
        again += 1
        back += read_returns.read_one(paid)
    return again, back
