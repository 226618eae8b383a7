"""The read door of the book: balances with their open deltas, read freely or held until they are decided upon."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import connection

from ledger.books import number_of
from ledger.controls import clock


class FourBalances(Protocol):
    """Whatever has the four balances, in minor units: an account, a line of a report, a statement's opening."""

    @property
    def debits_posted(self) -> int: ...
    @property
    def credits_posted(self) -> int: ...
    @property
    def debits_pending(self) -> int: ...
    @property
    def credits_pending(self) -> int: ...


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


@dataclass(frozen=True, slots=True)
class Locked:
    """Credits less debits, pending debits off, in minor units. `ruled`: the account has a balance rule, and so nobody
    changes the balance until this transaction ends; that of another account may go on changing.
    """

    balance: int
    ruled: bool


def lock(
    environment: str,
    keys: Sequence[str],
    accounts: Sequence[tuple[str, str]],
    *,
    effective_at: Sequence[datetime] = (),
    closing: bool = False,
    now: datetime | None = None,
) -> dict[tuple[str, str], Locked]:
    """Hold keys and accounts for the list that this transaction will post, and return their balances.

    Takes the locks that the write door would take, in its order: dates (of `effective_at` and of now), keys, accounts.
    Name every key of the list, and every (address, asset) that it may touch, also those it only credits: a lock that
    the write door takes later stands outside the order and may deadlock. `closing` for a list that closes accounts.
    Absent accounts are left out. Holds until the caller's transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT address, asset, balance, ruled FROM ledger_lock_balances(%s::smallint, %s::text[], %s::text[],"
            " %s::text[], %s::timestamptz[], %s, %s::timestamptz)",
            [
                number_of(environment),
                list(keys),
                [address for address, _ in accounts],
                [asset for _, asset in accounts],
                list(effective_at),
                closing,
                now or clock.parameter(),
            ],
        )
        rows = cursor.fetchall()
    return {(address, asset): Locked(int(balance), ruled) for address, asset, balance, ruled in rows}
