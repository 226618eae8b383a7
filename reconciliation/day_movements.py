"""What a locked date moved on each account, kept when it is locked: a balance is then checked from there, not from the start.

A locked date takes nothing (rule L8), so its sums stay true until it is opened again, and with that they are forgotten. Of the
dates before a window only an unbroken run of kept ones counts: what lies outside it is summed from the postings themselves.
"""

from datetime import datetime
from itertools import pairwise
from typing import Final

from django.db import connection
from django.db import transaction as db_transaction

from ledger.controls import clock
from reconciliation.models import CloseRun, DayMovement
from reconciliation.windows import Parameters, Window

_MOST_DATES: Final = 4_000

_MOVEMENTS: Final = """
    SELECT side.account_id, sum(side.dp) AS dp, sum(side.cp) AS cp, sum(side.dq) AS dq, sum(side.cq) AS cq,
           bool_or(side.touched) AS touched
    FROM (
        SELECT p.debit_account_id, p.credit_account_id,
               sum(CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END) AS posted,
               sum(CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor ELSE -q.amount_minor END) AS pending,
               bool_or(x.effective_at >= %(from)s AND x.effective_at < %(to)s) AS touched
        FROM ledger_transaction x
        JOIN ledger_posting p ON p.transaction_id = x.id
        LEFT JOIN ledger_posting q ON q.id = p.pending_id
        WHERE x.book_id = %(book)s AND ({when})
        GROUP BY p.debit_account_id, p.credit_account_id) pair
    CROSS JOIN LATERAL (VALUES (pair.debit_account_id, pair.posted, 0, pair.pending, 0, pair.touched),
                               (pair.credit_account_id, 0, pair.posted, 0, pair.pending, pair.touched)
        ) AS side (account_id, dp, cp, dq, cq, touched)
    GROUP BY side.account_id
"""
"""Per account what was posted and is pending on either side."""
_INSIDE: Final = "x.effective_at >= %(from)s AND x.effective_at < %(to)s"

SINCE: Final = _MOVEMENTS.format(when="x.effective_at >= %(kept_to)s OR x.effective_at < %(kept_from)s")
"""The same, of what lies outside the kept dates; `touched`: in the window itself."""

_KEEP: Final = f"""
INSERT INTO reconciliation_daymovement (close_reference, book_id, window_from, window_to, account_id, debits_posted,
                                        credits_posted, debits_pending, credits_pending)
SELECT %(close)s, %(book)s, %(from)s, %(to)s, m.account_id, m.dp, m.cp, m.dq, m.cq FROM ({_MOVEMENTS.format(when=_INSIDE)}) m
"""  # noqa: S608  our own text


def keep(close: CloseRun, *, window: Window) -> None:
    """Write down what a locked date moved, once. A date that is not locked (any more) is left alone."""
    with db_transaction.atomic():
        locked = CloseRun.objects.select_for_update().get(pk=close.pk)
        if locked.state != CloseRun.State.LOCKED or locked.movements_kept_at is not None:
            return
        with connection.cursor() as cursor:
            cursor.execute(_KEEP, {**window.parameters(), "close": close.reference})
        CloseRun.objects.filter(pk=close.pk).update(movements_kept_at=clock.now())


def forget(close: CloseRun) -> None:
    """Forget what a date moved: it is open again. In the caller's transaction, which moves the close."""
    DayMovement.objects.filter(close_reference=close.reference).delete()


def kept_before(window: Window) -> Parameters:
    """Return the unbroken run of kept dates nearest before a window, as a check's parameters; an empty one where none is."""
    kept = CloseRun.objects.filter(
        environment=window.environment,
        state=CloseRun.State.LOCKED,
        movements_kept_at__isnull=False,
        window_to__lte=window.start,
    ).order_by("-window_to")
    spans: list[tuple[datetime, datetime]] = list(kept.values_list("window_from", "window_to")[:_MOST_DATES])
    if not spans:
        return {"kept_from": "-infinity", "kept_to": "-infinity"}
    unbroken = [spans[0]]
    for later, earlier in pairwise(spans):
        if earlier[1] != later[0]:
            break
        unbroken.append(earlier)
    return {"kept_from": unbroken[-1][0], "kept_to": spans[0][1]}
