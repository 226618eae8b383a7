"""A wallet's history: what one intent, pay-in or return did to it, with the balances after it (OneWallet, step 5).

Written in the transaction of its postings, after the ledger's call: the wallets' accounts are locked by then, so that the
balances are those that this very step left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import psycopg
from django.db import connection

from ledger.books import number_of
from ledger.money import Money

_RECORD: Final = (Path(__file__).parent / "sql" / "record_history.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a wallet's history.

    `amount` is signed: into the wallet is positive. `posts` is False where the posted balance stays as it was (funds
    were only held, or a hold went back); `held_minor` is how what is held has changed.
    """

    wallet: str
    operator_id: int
    address: str
    subject: str
    kind: str
    amount: Money
    transaction_id: UUID | None
    posts: bool = True
    held_minor: int = 0


def record(*, environment: str, entries: Sequence[Entry], now: datetime) -> None:
    """Write the lines in their order, in one statement."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            _RECORD,
            {
                "environment": environment,
                "book": number_of(environment),
                "wallet": [entry.wallet for entry in entries],
                "operator": [entry.operator_id for entry in entries],
                "address": [entry.address for entry in entries],
                "subject": [entry.subject for entry in entries],
                "kind": [entry.kind for entry in entries],
                "asset": [entry.amount.asset for entry in entries],
                "amount": [entry.amount.minor for entry in entries],
                "posted": [entry.amount.minor if entry.posts else 0 for entry in entries],
                "held": [entry.held_minor for entry in entries],
                "transaction": [entry.transaction_id for entry in entries],
                "now": now,
            },
            prepare=True,
        )
        assert cursor.rowcount == len(entries), "an account of the history is not open"
