"""What the house posts to a wallet's accounts outside any flow is explained in the wallet's history, like a payment.

1 before the ledger's call: lock the wallets whose accounts it names, in the order of their references (DESIGN.md section 3)
2 after it, in the same transaction: a history line for each of their balances that moved, and a closed wallet is marked
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from ledger import movements, outside_flows
from ledger.drafts import Draft
from ledger.money import Money
from ledger.movements import Movement
from orders import intent_history
from orders.intent_history import Entry
from wallets import holders
from wallets.holders import Wallet

_KINDS: Final = {"MANUAL_ADJUSTMENT": "adjustment", "OPENING_BALANCE": "opening_balance"}
_ELSE: Final = "posting"


class Explained:
    """Wallets that postings outside flows touch: locked before, told of after."""

    def before(self, *, environment: str, drafts: Sequence[Draft]) -> None:
        """Lock the wallets whose accounts the drafts name, or that the holds which they end are of."""
        named = {address for draft in drafts for address in draft.accounts.values()}
        held = movements.addresses_under(
            environment=environment, keys={draft.hold_key for draft in drafts if draft.hold_key}
        )
        holders.lock_wallets_at(environment=environment, addresses=named | held)

    def after(self, *, environment: str, transactions: Sequence[UUID], now: datetime) -> None:
        """Write a line for each balance that the transactions moved, under the reference of its ledger posting."""
        moved = movements.of_transactions(transactions=transactions)
        wallets = holders.lock_wallets_at(environment=environment, addresses={one.address for one in moved})
        lines = [_line(wallets[one.address], one) for one in moved if one.address in wallets]
        intent_history.record(environment=environment, entries=[line for line in lines if line], now=now)
        for wallet in {wallet.pk: wallet for wallet in wallets.values()}.values():
            holders.note_movement(wallet, now=now)


def _line(wallet: Wallet, moved: Movement) -> Entry | None:
    """Return the history's line of what moved, or None where it was not the wallet's own balance."""
    if moved.address != holders.available_address(wallet) or not (moved.posted or moved.held):
        return None
    return Entry(
        wallet=wallet.reference,
        operator_id=wallet.operator_id,
        address=moved.address,
        subject=moved.reference,
        kind=_KINDS.get(moved.event_type, _ELSE),
        amount=Money(moved.posted or -moved.held, moved.asset),
        transaction_id=moved.transaction_id,
        posts=moved.posted != 0,
        held_minor=moved.held,
    )


def register() -> None:
    outside_flows.register(Explained())
