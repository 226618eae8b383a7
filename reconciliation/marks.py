"""Tells the orders of a window what the close made of them, through the one operation of theirs that takes it.

Whether the date is locked is asked for each batch, under the lock of the close's row: it may be opened again, or locked once
more, while its orders are marked.
"""

from collections.abc import Iterator
from datetime import datetime

from django.db import connection
from django.db import transaction as db_transaction

from orders.models import Order
from orders.operations.mark_reconciled import mark_reconciled, reopen_reconciled
from reconciliation.models import CloseRun
from reconciliation.windows import Parameters, Window

_BATCH = 2000

# Terminal since before the window was looked at, and no case names it.
_MATCHED = """
SELECT o.reference FROM close_orders(%(environment)s, %(from)s, %(to)s) o
WHERE o.state IN ('processed', 'failed', 'compensated') AND o.updated_at <= %(as_of)s
  AND o.reconciliation_state IN ('open', 'exception')
  AND NOT EXISTS (SELECT FROM reconciliation_exceptioncase c
                  WHERE c.order_reference = o.reference AND c.environment = o.environment AND c.state <> 'resolved')
"""
_EXCEPTION = """
SELECT o.reference FROM orders_order o
WHERE o.environment = %(environment)s AND o.reconciliation_state IN ('open', 'matched')
  AND o.reference IN (SELECT c.order_reference FROM reconciliation_exceptioncase c
                      WHERE c.environment = %(environment)s AND c.state <> 'resolved')
"""
# Its case has healed, and it has not ended yet.
_OPEN = """
SELECT o.reference FROM close_orders(%(environment)s, %(from)s, %(to)s) o
WHERE o.state NOT IN ('processed', 'failed', 'compensated') AND o.reconciliation_state IN ('exception', 'matched')
  AND NOT EXISTS (SELECT FROM reconciliation_exceptioncase c
                  WHERE c.order_reference = o.reference AND c.environment = o.environment AND c.state <> 'resolved')
"""

# Its day is locked: the last in which it moved. A later one keeps it until that is locked too.
_CLOSED = """
SELECT o.reference FROM close_orders(%(environment)s, %(from)s, %(to)s) o
WHERE o.state IN ('processed', 'failed', 'compensated') AND o.reconciliation_state IN ('matched', 'exception', 'open')
  AND o.updated_at < %(to)s
"""
_CLOSED_BEFORE = """
SELECT o.reference FROM close_orders(%(environment)s, %(from)s, %(to)s) o
WHERE o.reconciliation_state = 'closed' AND o.updated_at < %(to)s
"""


def close_orders(*, close: CloseRun, window: Window) -> int:
    """Mark the orders that ended in a date while this very lock of it stands; return how many. Safe twice."""
    marked = 0
    for batch in _batches(_CLOSED, window.parameters()):
        with db_transaction.atomic():
            now = _locked(close)
            if (now.state, now.version) != (CloseRun.State.LOCKED, close.version):
                break
            marked += mark_reconciled(references=batch, state=Order.Reconciliation.CLOSED)
    return marked


def open_orders(*, close: CloseRun, window: Window) -> int:
    """Take that back while the date is open again; return how many. Safe twice: a run says what they are."""
    marked = 0
    for batch in _batches(_CLOSED_BEFORE, window.parameters()):
        with db_transaction.atomic():
            if _locked(close).state == CloseRun.State.LOCKED:
                break
            marked += reopen_reconciled(references=batch)
    return marked


def mark_orders(*, window: Window, as_of: datetime) -> int:
    """Mark what has changed since the last run; return how many orders were marked."""
    parameters: Parameters = {**window.parameters(), "as_of": as_of}
    return sum(
        mark_reconciled(references=batch, state=state)
        for query, state in (
            (_EXCEPTION, Order.Reconciliation.EXCEPTION),
            (_MATCHED, Order.Reconciliation.MATCHED),
            (_OPEN, Order.Reconciliation.OPEN),
        )
        for batch in _batches(query, parameters)
    )


def _locked(close: CloseRun) -> CloseRun:
    return CloseRun.objects.select_for_update(no_key=True).get(pk=close.pk)


def _batches(query: str, parameters: Parameters) -> Iterator[list[str]]:
    """Read references by a server-side cursor that outlives the marks' transactions."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(query, parameters)
        while rows := cursor.fetchmany(_BATCH):
            yield [row[0] for row in rows]
