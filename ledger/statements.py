"""Account statements: an account's postings with running balances, pending and posted apart, in pages.

A statement is of now, as of a block or a date, or of a period: that opens with what counted before its first date.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from ledger.books import number_of
from ledger.controls.refusals import NotFound
from ledger.reports.scopes import Scope, Value

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
    """One page, oldest first. `next_after` is the cursor of the next page, None on the last.

    What is provisional may yet change: as of a sealed block or a locked date, nothing does.
    """

    address: str
    asset: str
    normal_side: str
    opening: Balances
    lines: Sequence[Line]
    next_after: UUID | None
    provisional: bool = True

    @property
    def closing(self) -> Balances:
        return self.lines[-1].after if self.lines else self.opening


def statement(
    *,
    environment: str,
    address: str,
    asset: str,
    after: UUID | None = None,
    limit: int = 50,
    scope: Scope | None = None,
) -> Statement:
    """Return the page of an account's postings behind the cursor `after`: all, or those in the scope. Raises NotFound.

    Lines stand in the order in which they were written down. The opening balances are the sum of all before the page
    as of this statement: a posting that commits late never makes a running balance wrong, only a later page longer.
    """
    size = min(max(limit, 1), LARGEST_PAGE)
    with connection.cursor() as cursor:
        account, normal_side = _account(environment, address, asset)
        given: dict[str, Value] = {
            **(scope.parameters if scope else {}),
            "account": account,
            "after": after or _BEFORE_ALL,
            "limit": size + 1,
            "few": _FEW,
        }
        if scope is not None and scope.counts:
            page = page_within(scope)
        else:
            opening_query = _FORWARD
            if after is not None:
                cursor.execute(_FOLLOWERS, given)
                followers = cursor.fetchone()
                opening_query = _BACKWARD if followers is not None and followers[0] < _FEW else _FORWARD
            page = page_of_all(opening_query)
        cursor.execute(page, given)
        rows = cursor.fetchall()
    opening = Balances(*(int(value) for value in rows[0][:4]))
    lines = [_line(row[4:]) for row in rows[:size] if row[4] is not None]
    return Statement(
        address=address,
        asset=asset,
        normal_side=normal_side,
        opening=opening,
        lines=lines,
        next_after=lines[-1].posting_id if len(rows) > size else None,
        provisional=scope is None or scope.provisional,
    )


def place_before_newest(*, environment: str, address: str, asset: str, limit: int = 50) -> UUID | None:
    """Return the cursor whose page is the newest; None when one page holds everything. Raises NotFound."""
    account, _ = _account(environment, address, asset)
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, {"account": account, "skip": limit + 1})
        row = cursor.fetchone()
    return row[0] if row else None


def page_of_all(opening: str) -> str:
    """Return the statement of a page of all postings, with the query of what stood before it."""
    return _PAGE.replace("{opening}", opening).replace("{inside}", "")


def page_within(scope: Scope) -> str:
    """Return the statement of a page of the postings that count in a scope; it takes the scope's parameters too."""
    page = _PAGE.replace("{opening}", _WITHIN).replace("{inside}", _INSIDE)
    return page.replace("{earlier}", scope.earlier).replace("{counts}", scope.counts)


def account_id(*, environment: str, address: str, asset: str) -> int:
    """Return an account's id. Raises NotFound."""
    return _account(environment, address, asset)[0]


def _account(environment: str, address: str, asset: str) -> tuple[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, normal_side FROM ledger_account WHERE book_id = %s AND address = %s AND asset = %s",
            [number_of(environment), address, asset],
        )
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"There is no account {address} in {asset}.")
    return row[0], row[1]


def _line(row: Sequence[object]) -> Line:
    *words, posted, pending, dp, cp, dq, cq = row
    return Line(*words, int(posted), int(pending), Balances(int(dp), int(cp), int(dq), int(cq)))  # type: ignore[arg-type, call-arg, call-overload]  # a row


# What a posting moves; the end of a pending gives back the whole of it. The pending is looked up for an end alone: a join
# would read the whole table for a page.
_MOVED: Final = """CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END AS posted,
                 CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor
                      ELSE -(SELECT q.amount_minor FROM ledger_posting q WHERE q.id = p.pending_id) END AS pending"""

# An account's postings after the page's place. Compared (and ordered) by account and id together, each side is read along its
# own index, in however large a book.
_LATER: Final = """(p.{side}_account_id, p.id) > (%(account)s, %(after)s)
                AND (p.{side}_account_id, p.id) <= (%(account)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)"""

# What stood before the page: the sum of everything up to its place …
_SUM: Final = """
    SELECT coalesce(sum(posted) FILTER (WHERE is_debit), 0) AS dp,
           coalesce(sum(posted) FILTER (WHERE NOT is_debit), 0) AS cp,
           coalesce(sum(pending) FILTER (WHERE is_debit), 0) AS dq,
           coalesce(sum(pending) FILTER (WHERE NOT is_debit), 0) AS cq
    FROM (SELECT true AS is_debit, {moved} FROM ledger_posting p{joined} WHERE {debited}
          UNION ALL SELECT false, {moved} FROM ledger_posting p{joined} WHERE {credited}) AS summed
"""


def _sum_of(those: str, joined: str = "") -> str:
    debited, credited = (those.replace("{side}", side) for side in ("debit", "credit"))
    whole = _SUM.replace("{moved}", _MOVED).replace("{joined}", joined)
    return whole.replace("{debited}", debited).replace("{credited}", credited)


_FORWARD: Final = _sum_of("p.{side}_account_id = %(account)s AND p.id <= %(after)s")
# … or, where little comes after it, the present balance less that.
_BACKWARD: Final = """
    SELECT b.debits_posted - l.dp AS dp, b.credits_posted - l.cp AS cp, b.debits_pending - l.dq AS dq,
           b.credits_pending - l.cq AS cq
    FROM ledger_balance b, ({later}) AS l
    WHERE b.account_id = %(account)s
""".replace("{later}", _sum_of(_LATER))
# In a scope: what counts before it, and what of it comes up to the page's place.
_WITHIN: Final = _sum_of(
    "p.{side}_account_id = %(account)s AND ({earlier} OR (p.id <= %(after)s AND {counts}))",
    joined=" JOIN ledger_transaction t ON t.id = p.transaction_id",
)
_INSIDE: Final = " AND EXISTS (SELECT FROM ledger_transaction t WHERE t.id = p.transaction_id AND {counts})"
_FEW: Final = 5000
_FOLLOWERS: Final = """
SELECT count(*) FROM (
    (SELECT FROM ledger_posting WHERE debit_account_id = %(account)s AND id > %(after)s LIMIT %(few)s)
    UNION ALL (SELECT FROM ledger_posting WHERE credit_account_id = %(account)s AND id > %(after)s LIMIT %(few)s)) AS f
"""
_NEWEST: Final = """
SELECT id FROM (
    (SELECT id FROM ledger_posting WHERE debit_account_id = %(account)s ORDER BY id DESC LIMIT %(skip)s)
    UNION ALL (SELECT id FROM ledger_posting WHERE credit_account_id = %(account)s ORDER BY id DESC LIMIT %(skip)s)) AS n
ORDER BY id DESC OFFSET %(skip)s - 1 LIMIT 1
"""

# One statement and so one snapshot: the page, and what stood before it.
_TEMPLATE: Final = """
WITH opening AS (
    {opening}
), page AS (
    SELECT * FROM (
        (SELECT p.id, p.transaction_id, p.kind, true AS is_debit, p.credit_account_id AS other_id, {moved}
         FROM ledger_posting p WHERE {debited}{inside}
         ORDER BY p.debit_account_id, p.id LIMIT %(limit)s)
        UNION ALL
        (SELECT p.id, p.transaction_id, p.kind, false, p.debit_account_id, {moved}
         FROM ledger_posting p WHERE {credited}{inside}
         ORDER BY p.credit_account_id, p.id LIMIT %(limit)s)) AS sides
    ORDER BY id LIMIT %(limit)s
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
""".replace("{moved}", _MOVED)
_PAGE: Final = _TEMPLATE.replace("{debited}", _LATER.replace("{side}", "debit")).replace(
    "{credited}", _LATER.replace("{side}", "credit")
)
