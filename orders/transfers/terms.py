"""A transfer's terms: what the payer gives and the payee gets, and the ledger's lines that come of them.

PRE fees come on top of the debit, POST fees out of the credit (OneWallet, fee model).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from ledger import accounts
from ledger.drafts import Draft
from ledger.money import Money
from orders.models import Intent
from orders.transfers.parties import Party
from wallets.conditions import Fact
from wallets.pricing import Priced

FLOW: Final = "transfer"
CHANNEL: Final = Intent.Channel.INTERNAL.value
HOLD_SECONDS: Final = 300
"""An internal hold that nobody posts ends by itself, and its funds return (OneWallet, crash safety)."""


def facts(payer: Party, payee: Party, *, scheduled: bool = False, bulk: bool = False) -> Mapping[str, Fact]:
    """Return what the conditions of fee rules may ask about a transfer."""
    return {
        "payer": payer.reference,
        "payer_kind": payer.kind,
        "payee": payee.reference,
        "payee_kind": payee.kind,
        "scheduled": scheduled,
        "bulk": bulk,
    }


def priced_values(priced: Priced) -> dict[str, Any]:
    """Return the columns that pricing settles."""
    return {
        "debit_minor": Decimal(priced.debit.minor),
        "credit_minor": Decimal(priced.credit.minor),
        "fee_minor": Decimal(priced.fee.minor),
        "vat_minor": Decimal(priced.vat.minor),
        "fee_items": [item.as_json() for item in priced.items],
    }


def places(payer: Party, payee: Party) -> dict[str, Any]:
    """Return the accounts of the ledger's lines, as the intent keeps them."""
    return {
        "accounts": {
            "payer": payer.address,
            "payee": payee.address,
            "transit": accounts.TRANSFER_TRANSIT,
            "revenue": accounts.TRANSFER_REVENUE,
            "vat": accounts.VAT_PAYABLE,
        }
    }


def hold(intent: Intent, *, linked: bool = False) -> Draft:
    """Linked pending lines through transit: the payer's whole debit, the payee's credit, our fee, its VAT."""
    return Draft(
        event_type="TRANSFER_HOLD",
        key=hold_key(intent),
        subject=intent.reference,
        amounts=_amounts(intent),
        accounts=intent.terms["accounts"],
        timeout=HOLD_SECONDS,
        linked=linked,
    )


def settlement(intent: Intent) -> Draft:
    """The hold is posted: transit is zero again."""
    return Draft(
        event_type="TRANSFER_SETTLE",
        key=f"{intent.reference}:settle",
        subject=intent.reference,
        amounts=_amounts(intent),
        accounts=intent.terms["accounts"],
        hold_key=hold_key(intent),
    )


def release(intent: Intent) -> Draft:
    """The hold is voided: the funds return."""
    return Draft(
        event_type="TRANSFER_RELEASE",
        key=f"{intent.reference}:release",
        subject=intent.reference,
        amounts=_amounts(intent),
        accounts=intent.terms["accounts"],
        hold_key=hold_key(intent),
    )


def hold_key(intent: Intent) -> str:
    return f"{intent.reference}:hold"


def _amounts(intent: Intent) -> dict[str, Money]:
    asset = intent.asset
    assert intent.debit_minor is not None, "not priced yet"
    assert intent.credit_minor is not None, "not priced yet"
    amounts = {"debit": Money(int(intent.debit_minor), asset), "credit": Money(int(intent.credit_minor), asset)}
    if intent.fee_minor:
        amounts["fee"] = Money(int(intent.fee_minor), asset)
    if intent.vat_minor:
        amounts["vat"] = Money(int(intent.vat_minor), asset)
    return amounts
