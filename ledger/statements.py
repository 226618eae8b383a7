"""Account statements: an account's postings with running balances, pending and posted apart, in pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from ledger.books import number_of
from ledger.controls.refusals import NotFound

LARGEST_PAGE: Final = 500
_BEFORE_ALL: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Balances:
    """Four balances in minor units."""

    debits_posted: int = 0
    credits_posted: int = 0
    debits_pending: int = 0
    credits_pending: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One posting as the account sees it. The first two changes are its own, in minor units; `after` includes it.

    A posting that ends a pending takes the whole pending back, so `pending` is negative there.
    """

    posting_id: UUID
    transaction_id: UUID
    key: str
    event_type: str
    kind: str
    subject: str
    effective_at: datetime
    recorded_at: datetime
    value_date: datetime | None
    counterparty: str
    side: str
    posted: int
    pending: int
    after: Balances

    @property
    def reference(self) -> str:
        """The ledger id, `led_…`."""
        return f"led_{self.posting_id.hex}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One page, oldest first. `next_after` is the cursor of the next page, None on the last."""

    address: str
    asset: str
    normal_side: str
    opening: Balances
    lines: Sequence[Line]
    next_after: UUID | None

    @property
    def closing(self) -> Balances:
        return self.lines[-1].after if self.lines else self.opening


def statement(*, environment: str, address: str, asset: str, after: UUID | None = None, limit: int = 50) -> Statement:
    """Return the page of an account's postings behind the cursor `after`. Raises NotFound.

    Lines stand in the order in which they were written down. The opening balances are the sum of all before the page
    as of this statement: a posting that commits late never makes a running balance wrong, only a later page longer.
    """
    size = min(max(limit, 1), LARGEST_PAGE)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, normal_side FROM ledger_account WHERE book_id = %s AND address = %s AND asset = %s",
            [number_of(environment), address, asset],
        )
        account = cursor.fetchone()
        if account is None:
            raise NotFound(f"There is no account {address} in {asset}.")
        cursor.execute(_PAGE, {"account": account[0], "after": after or _BEFORE_ALL, "limit": size + 1})
        rows = cursor.fetchall()
    opening = Balances(*(int(value) for value in rows[0][:4]))
    lines = [_line(row[4:]) for row in rows[:size] if row[4] is not None]
    return Statement(
        address=address,
        asset=asset,
        normal_side=account[1],
        opening=opening,
        lines=lines,
        next_after=lines[-1].posting_id if len(rows) > size else None,
    )


def _line(row: Sequence[object]) -> Line:
    *words, posted, pending, dp, cp, dq, cq = row
    return Line(*words, int(posted), int(pending), Balances(int(dp), int(cp), int(dq), int(cq)))  # type: ignore[arg-type, call-arg, call-overload]  # a row


# One statement and so one snapshot: the page, and the sum of everything before it.
_PAGE: Final = """
WITH opening AS (
    SELECT coalesce(sum(posted) FILTER (WHERE is_debit), 0) AS dp,
           coalesce(sum(posted) FILTER (WHERE NOT is_debit), 0) AS cp,
           coalesce(sum(pending) FILTER (WHERE is_debit), 0) AS dq,
           coalesce(sum(pending) FILTER (WHERE NOT is_debit), 0) AS cq
    FROM (SELECT p.debit_account_id = %(account)s AS is_debit,
                 CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END AS posted,
                 CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor ELSE -q.amount_minor END AS pending
          FROM ledger_posting p LEFT JOIN ledger_posting q ON q.id = p.pending_id
          WHERE (p.debit_account_id = %(account)s OR p.credit_account_id = %(account)s) AND p.id <= %(after)s) AS earlier
), page AS (
    SELECT p.*, CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END AS posted,
           CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor ELSE -q.amount_minor END AS pending
    FROM ((SELECT id, transaction_id, kind, pending_id, amount_minor, true AS is_debit, credit_account_id AS other_id
           FROM ledger_posting WHERE debit_account_id = %(account)s AND id > %(after)s ORDER BY id LIMIT %(limit)s)
          UNION ALL
          (SELECT id, transaction_id, kind, pending_id, amount_minor, false, debit_account_id
           FROM ledger_posting WHERE credit_account_id = %(account)s AND id > %(after)s ORDER BY id LIMIT %(limit)s)) AS p
    LEFT JOIN ledger_posting q ON q.id = p.pending_id
    ORDER BY p.id LIMIT %(limit)s
)
SELECT o.dp, o.cp, o.dq, o.cq, e.id, e.transaction_id, t.key, t.event_type, e.kind, t.subject,
       t.effective_at, t.recorded_at, t.value_date, a.address,
       CASE WHEN e.is_debit THEN 'debit' ELSE 'credit' END, e.posted, e.pending,
       o.dp + sum(CASE WHEN e.is_debit THEN e.posted ELSE 0 END) OVER before,
       o.cp + sum(CASE WHEN e.is_debit THEN 0 ELSE e.posted END) OVER before,
       o.dq + sum(CASE WHEN e.is_debit THEN e.pending ELSE 0 END) OVER before,
       o.cq + sum(CASE WHEN e.is_debit THEN 0 ELSE e.pending END) OVER before
FROM opening o
LEFT JOIN page e ON true
LEFT JOIN ledger_transaction t ON t.id = e.transaction_id
LEFT JOIN ledger_account a ON a.id = e.other_id
WINDOW before AS (ORDER BY e.id ROWS UNBOUNDED PRECEDING)
ORDER BY e.id
"""
