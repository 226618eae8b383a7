"""What transactions did to accounts, told per transaction and account: for those who explain a balance."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connection

from ledger.books import number_of

_FIND: Final = """
SELECT t.id, t.event_type, a.address, a.asset, (array_agg(p.id ORDER BY p.position))[1],
       sum(CASE WHEN p.kind NOT IN ('posted', 'post') THEN 0 WHEN s.is_debit THEN -p.amount_minor ELSE p.amount_minor END),
       sum(CASE WHEN NOT s.is_debit OR p.kind = 'posted' THEN 0
                WHEN p.kind = 'pending' THEN p.amount_minor ELSE -q.amount_minor END)
FROM unnest(%s::uuid[]) WITH ORDINALITY AS w (id, n)
JOIN ledger_transaction t ON t.id = w.id
JOIN ledger_posting p ON p.transaction_id = t.id
LEFT JOIN ledger_posting q ON q.id = p.pending_id
CROSS JOIN LATERAL (VALUES (p.debit_account_id, true), (p.credit_account_id, false)) AS s (account_id, is_debit)
JOIN ledger_account a ON a.id = s.account_id
WHERE %s::text[] IS NULL OR a.address = ANY (%s)
GROUP BY w.n, t.id, t.event_type, a.address, a.asset
ORDER BY w.n, min(p.position)
"""
_UNDER: Final = """
SELECT DISTINCT a.address
FROM ledger_key k
JOIN ledger_posting p ON p.transaction_id = k.transaction_id
JOIN ledger_account a ON a.id IN (p.debit_account_id, p.credit_account_id)
WHERE k.book_id = %s AND k.key = ANY (%s)
"""


@dataclass(frozen=True, slots=True)
class Movement:
    """What one transaction did to one account, in minor units.

    `posted` is credits less debits; `held` is how the pending debits changed. `reference` is that of the first posting
    that touches the account, `led_…`.
    """

    transaction_id: UUID
    event_type: str
    address: str
    asset: str
    reference: str
    posted: int
    held: int


def of_transactions(*, transactions: Sequence[UUID], addresses: Collection[str] | None = None) -> list[Movement]:
    """Return what the transactions did to the accounts at these addresses, or to all, in the order of the transactions."""
    wanted = None if addresses is None else list(addresses)
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [list(transactions), wanted, wanted])
        rows = cursor.fetchall()
    return [
        Movement(transaction, event_type, address, asset, f"led_{posting.hex}", int(posted), int(held))
        for transaction, event_type, address, asset, posting, posted, held in rows
    ]


def gained(*, transaction_id: UUID, address: str, asset: str) -> int:
    """Return what a transaction posted to one account, in minor units: credits less debits."""
    found = of_transactions(transactions=[transaction_id], addresses=[address])
    return sum(one.posted for one in found if one.asset == asset)


def addresses_under(*, environment: str, keys: Collection[str]) -> set[str]:
    """Return the addresses that the transactions under these ledger keys touched."""
    if not keys:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_UNDER, [number_of(environment), list(keys)])
        return {address for (address,) in cursor.fetchall()}
