"""What a run counts of its book: per asset, what all accounts were credited less what they were debited (it is 0), and more."""

from datetime import datetime

from django.db import connection
from django.db.backends.utils import CursorWrapper

from ledger.books import number_of
from reconciliation.windows import Window

# Each side counts only where its account exists, in this book and for this asset: one that hangs in the air shows.
_ZERO_SUM = """
SELECT p.asset, (sum(CASE WHEN c.id IS NULL THEN 0 ELSE p.amount_minor END)
                 - sum(CASE WHEN d.id IS NULL THEN 0 ELSE p.amount_minor END))::text
FROM ledger_transaction x
JOIN ledger_posting p ON p.transaction_id = x.id AND p.kind IN ('posted', 'post')
LEFT JOIN ledger_account d ON d.id = p.debit_account_id AND d.book_id = x.book_id AND d.asset = p.asset
LEFT JOIN ledger_account c ON c.id = p.credit_account_id AND c.book_id = x.book_id AND c.asset = p.asset
WHERE x.book_id = %(book)s AND x.effective_at >= %(from)s AND x.effective_at < %(to)s
GROUP BY p.asset ORDER BY p.asset
"""

_IN_FLIGHT = """
SELECT count(*) FROM orders_intent i
JOIN orders_payout p ON p.intent_reference = i.reference AND p.state NOT IN ('complete', 'dead_letter', 'manual_review')
JOIN wallets_gateway g ON g.id = p.gateway_id
WHERE i.environment = %(environment)s AND i.state = 'authorized' AND i.authorized_at < %(to)s
  AND i.authorized_at + g.pending_horizon_ms * interval '1 millisecond' > %(as_of)s
"""

_ORDERS = """
SELECT count(*) FROM orders_order o
WHERE o.environment = %(environment)s AND o.created_at >= %(from)s AND o.created_at < %(to)s
"""


def zero_sum(environment: str) -> dict[str, int]:
    """Return per asset the net of every posting of the environment's book, in minor units: 0, or the book is broken."""
    with connection.cursor() as cursor:
        return _net(cursor, number_of(environment), "-infinity", "infinity")


def zero_sum_of_window(*, cursor: CursorWrapper, window: Window) -> dict[str, int]:
    """The same of the postings whose effective time lies in the window."""
    return _net(cursor, window.book_id, window.start, window.end)


def in_flight(*, cursor: CursorWrapper, window: Window, as_of: datetime) -> int:
    """Count the payouts of the window, or before it, that their gateway may still be working on: no break."""
    cursor.execute(_IN_FLIGHT, {**window.parameters(), "as_of": as_of})
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def orders_of_window(*, cursor: CursorWrapper, window: Window) -> int:
    """Count the orders that were created in the window."""
    cursor.execute(_ORDERS, window.parameters())
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def _net(cursor: CursorWrapper, book: int, start: datetime | str, end: datetime | str) -> dict[str, int]:
    cursor.execute(_ZERO_SUM, {"book": book, "from": start, "to": end})
    return {asset: int(net) for asset, net in cursor.fetchall()}
