"""The posting of a pay-in: gross at the provider's settlement bank; net to the wallet; fee and VAT beside it."""

import hashlib
from typing import Final

from ledger import accounts
from ledger.accounts import Opening
from ledger.drafts import Draft
from ledger.money import Money
from orders.models import PayIn
from wallets import holders
from wallets.holders import Wallet

_EVENT_TYPES: Final = {
    PayIn.Kind.COLLECTED: "PAYIN_COLLECTION",
    PayIn.Kind.REFUNDED: "PAYIN_REFUND",
    PayIn.Kind.CHARGED_BACK: "PAYIN_CHARGEBACK",
}


def open_bank(pay_in: PayIn) -> None:
    """Open the settlement bank's account in this asset, and those of a wallet that does not hold it yet."""
    accounts.open_accounts(
        environment=pay_in.environment,
        openings=[
            Opening(accounts.bank(pay_in.provider_code), pay_in.asset, accounts.BANK),
            Opening(accounts.PAYIN_REVENUE, pay_in.asset, accounts.PAYIN_REVENUE_KIND),
            Opening(accounts.VAT_PAYABLE, pay_in.asset, accounts.VAT),
        ],
    )


def draft(pay_in: PayIn, wallet: Wallet) -> Draft:
    """Return the pay-in's transaction. Its key is the provider's transaction: the ledger knows it once, too."""
    asset = pay_in.asset
    amounts = {"fee": Money(int(pay_in.fee_minor), asset), "vat": Money(int(pay_in.vat_minor), asset)}
    named = {
        "bank": accounts.bank(pay_in.provider_code),
        "wallet": holders.available_address(wallet),
        "revenue": accounts.PAYIN_REVENUE,
        "vat": accounts.VAT_PAYABLE,
    }
    if pay_in.kind == PayIn.Kind.COLLECTED:
        amounts["net"] = Money(pay_in.net_minor, asset)
    else:
        amounts["amount"] = Money(int(pay_in.gross_minor), asset)
        named["receivable"] = holders.receivable_address(wallet)
    digest = hashlib.sha256(pay_in.provider_transaction.encode()).hexdigest()[:40]
    return Draft(
        event_type=_EVENT_TYPES[PayIn.Kind(pay_in.kind)],
        key=f"payin:{pay_in.provider_id}:{pay_in.kind}:{digest}",
        subject=pay_in.reference,
        amounts=amounts,
        accounts=named,
        refs={"inbound_event": pay_in.inbound_event, "wallet": wallet.reference}
        | ({"collection": pay_in.collection} if pay_in.collection else {}),
        effective_at=pay_in.occurred_at,
    )
