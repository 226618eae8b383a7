"""The ledger lines of a payout: one hold with every line, which is posted or voided whole; and what comes after its end.

PRE fees go on top of what the wallet is debited, POST fees out of what the recipient gets; the network's fee is the
payer's, without VAT, and goes to the bank with the amount.
"""

from ledger import accounts
from ledger.drafts import Draft
from ledger.money import Money
from orders.models import Intent, Payout, Return


def named(*, channel: str, wallet: str, receivable: str) -> dict[str, str]:
    """Return the accounts of a payout's lines: kept on the intent, since an account's chart may change."""
    return {
        "wallet": wallet,
        "receivable": receivable,
        "bank": accounts.bank(channel),
        "revenue": accounts.PAYOUT_REVENUE,
        "vat": accounts.VAT_PAYABLE,
    }


def openings(*, channel: str, asset: str) -> list[accounts.Opening]:
    """Return what must be open before the channel's first payout in an asset."""
    return [
        accounts.Opening(accounts.bank(channel), asset, accounts.BANK),
        accounts.Opening(accounts.PAYOUT_REVENUE, asset, accounts.PAYOUT_REVENUE_KIND),
        accounts.Opening(accounts.VAT_PAYABLE, asset, accounts.VAT),
    ]


def reserve(intent: Intent, payout: Payout) -> Draft:
    """Hold amount, fees, VAT and network fee, with timeout 0: its end is the bank's to decide."""
    return Draft(
        event_type="PAYOUT_RESERVE",
        key=payout.hold_key,
        subject=intent.reference,
        refs=_refs(intent, payout),
        amounts=_amounts(intent),
        accounts=_accounts(intent),
    )


def settle(intent: Intent, payout: Payout) -> Draft:
    """Post the hold: the funds have left to the bank."""
    return Draft(
        event_type="PAYOUT_SETTLE",
        key=f"{payout.reference}:settle",
        subject=intent.reference,
        refs=_refs(intent, payout),
        amounts=_amounts(intent),
        accounts=_accounts(intent),
        hold_key=payout.hold_key,
    )


def release(intent: Intent, payout: Payout) -> Draft:
    """Void the hold: the funds are the wallet's again."""
    return Draft(
        event_type="PAYOUT_RELEASE",
        key=f"{payout.reference}:release",
        subject=intent.reference,
        refs=_refs(intent, payout),
        hold_key=payout.hold_key,
    )


def adjustment(found: Return) -> Draft:
    """Book what came after the end: the amount back to the wallet; or, paid late, from it or its receivable."""
    amount = Money(int(found.amount_minor), found.asset)
    late = found.kind == Return.Kind.LATE_EFFECT
    return Draft(
        event_type="LATE_EFFECT" if late else "PAYOUT_RETURN",
        key=f"{found.reference}:adjust",
        subject=found.reference,
        refs={"return": found.reference, "intent": found.intent_reference, "payout": str(found.terms["payout"])},
        amounts={"paid" if late else "amount": amount},
        accounts=dict(found.terms["accounts"]),
    )


def debited(intent: Intent) -> Money:
    """Return what the hold takes of the wallet in all."""
    assert intent.debit_minor is not None, "a validated intent is priced"
    return Money(int(intent.debit_minor), intent.asset)


def paid_out(intent: Intent) -> Money:
    """Return what the recipient gets: what the channel is asked to pay."""
    assert intent.credit_minor is not None, "a validated intent is priced"
    return Money(int(intent.credit_minor), intent.asset)


def _amounts(intent: Intent) -> dict[str, Money]:
    made = {
        "amount": paid_out(intent),
        "network_fee": Money(int(intent.network_fee_minor), intent.asset),
        "fee": Money(int(intent.fee_minor), intent.asset),
        "vat": Money(int(intent.vat_minor), intent.asset),
    }
    assert sum(one.minor for one in made.values()) == debited(intent).minor, (
        f"{intent.reference}: lines and debit differ"
    )
    return made


def _accounts(intent: Intent) -> dict[str, str]:
    return {name: intent.terms["accounts"][name] for name in ("wallet", "bank", "revenue", "vat")}


def _refs(intent: Intent, payout: Payout) -> dict[str, str]:
    return {"intent": intent.reference, "payout": payout.reference}
