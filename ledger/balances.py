"""The read door of the book: balances with their open deltas, and account statements."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from ledger.books import number_of


@dataclass(frozen=True, slots=True)
class Balance:
    """Four balances in minor units of `asset`, as of one statement."""

    address: str
    asset: str
    normal_side: str
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int

    @property
    def posted(self) -> int:
        """Posted balance on the account's normal side."""
        net = self.credits_posted - self.debits_posted
        return net if self.normal_side == "credit" else -net

    @property
    def available(self) -> int:
        """What may still be debited from a credit account: pending debits count, pending credits do not."""
        return self.credits_posted - self.debits_posted - self.debits_pending


def read(*, environment: str, accounts: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Balance]:
    """Return the balances of (address, asset) pairs in one statement; absent accounts are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT b.address, b.asset, b.normal_side, b.debits_posted, b.credits_posted, b.debits_pending,"
            " b.credits_pending FROM unnest(%s::text[], %s::text[]) AS w (address, asset)"
            " JOIN ledger_balance b ON b.book_id = %s AND b.address = w.address AND b.asset = w.asset",
            [[a for a, _ in accounts], [s for _, s in accounts], number_of(environment)],
        )
        rows = cursor.fetchall()
    return {(row[0], row[1]): Balance(row[0], row[1], row[2], *(int(value) for value in row[3:])) for row in rows}
