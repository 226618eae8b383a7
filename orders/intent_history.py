"""A wallet's history: what one intent, pay-in or return did to it, with the balances after it (OneWallet, step 5).

Written in the transaction of its postings, after the ledger's call: the wallets' accounts are locked by then, so that the
balances are those that this very step left.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from ledger.books import number_of
from ledger.controls import prepared
from ledger.money import Money

_RECORD: Final = "SELECT orders_record_history(%s, %s::smallint, %s::jsonb, %s)"


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
    ((number,),) = prepared.rows(_RECORD, [environment, number_of(environment), written(entries), now])
    assert number == len(entries), "an account of the history is not open"


def written(entries: Sequence[Entry]) -> str:
    """Return the lines as `orders_record_history` takes them."""
    return json.dumps([_line(entry) for entry in entries])


def _line(entry: Entry) -> dict[str, object]:
    return {
        "wallet": entry.wallet,
        "operator_id": entry.operator_id,
        "address": entry.address,
        "subject": entry.subject,
        "kind": entry.kind,
        "asset": entry.amount.asset,
        "amount": entry.amount.minor,
        "posted": entry.amount.minor if entry.posts else 0,
        "held": entry.held_minor,
        "transaction_id": None if entry.transaction_id is None else str(entry.transaction_id),
    }
