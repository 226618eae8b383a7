"""How REST shows a payout's dry run; payouts themselves are shown as intents."""

from typing import Any

from ledger import assets
from ledger.money import Money
from orders import intent_answers
from orders.operations.try_payout import Tried


def tried(found: Tried) -> dict[str, Any]:
    """Show what would stand. Ids in it name nothing."""
    balance = found.balance
    return {
        **intent_answers.intent(found.intent),
        "dry_run": True,
        "limits": [
            {
                "name": one.name,
                "scope": one.scope,
                "period": one.period,
                "day": one.day or None,
                "amount": _text(one.taken),
                "used": _text(one.used),
            }
            for one in found.limits
        ],
        "postings": [{"to": one.to, "amount": _text(one.amount), "asset": one.amount.asset} for one in found.lines],
        "balance": {
            "asset": balance.asset,
            "posted": assets.text(balance.posted, balance.asset),
            "held": assets.text(balance.held, balance.asset),
            "available": assets.text(balance.available, balance.asset),
        },
    }


def _text(amount: Money) -> str:
    return assets.text(amount.minor, amount.asset)
