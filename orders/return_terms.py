"""The ledger lines of a return: what happened against transit, and what became of it.

A return whose late leg is a debit took money from the operator's wallet (the operator owes us); one of a reverse or a
credit gave it. The event types take both sides, `debited` and `credited`; one of them is 0 and posts nothing.
"""

from typing import Any

from ledger import accounts
from ledger.drafts import Draft
from ledger.money import Money
from orders import trade_terms
from orders.models import Order, Return, Trade


def adjustment(found: Return, trade: Trade | None) -> Draft:
    """Book that it is so: a late movement against transit, or a trade that was taken back, every line the other way."""
    return late_effect(found) if trade is None else taken_back(found, trade)


def taken_back(found: Return, trade: Trade) -> Draft:
    """Turn the settled trade round. Never refused: what position or pool lack becomes a receivable."""
    settled = trade_terms.settlement(trade)
    return Draft(
        event_type="TRADE_RETURN",
        key=f"{found.reference}:adjust",
        subject=found.reference,
        refs={"return": found.reference, **settled.refs},
        amounts=settled.amounts,
        accounts={**settled.accounts, **found.terms["receivables"]},
    )


def receivables(trade: Trade) -> dict[str, str]:
    """Return the accounts that owe what position and pool lack."""
    named = trade.terms["accounts"]
    _, operator, user_part = str(named["position"]).split(":", 2)
    return {
        "receivable": accounts.position_receivable(operator, user_part),
        "pool_receivable": accounts.pool_receivable(
            trade.pool_code if trade_terms.is_outside(trade) else str(named["pool"]).partition(":")[2]
        ),
    }


def late_effect(found: Return) -> Draft:
    """Book the late movement: the operator's due against transit; of an execution, what the venue gave and took."""
    return _draft("LATE_EFFECT", "adjust", found, debited=found.gives_back_by == "credit")


def given_back(found: Return) -> Draft:
    """Book the movement back: transit against the operator's due."""
    return _draft("RETURN_GIVEN_BACK", "give_back", found, debited=found.gives_back_by == "debit")


def kept(found: Return) -> Draft:
    """Leave it for the net settlement: transit against the operator's due, marked so."""
    return _draft("RETURN_KEPT", "keep", found, debited=found.gives_back_by == "debit")


def executed(order: Order, trade: Trade) -> dict[str, Any]:
    """Return the terms of a late execution: what the venue gave and took, and its account."""
    named = trade.terms["accounts"]
    taken, given = trade_terms.at_the_venue(order, trade)
    return {
        "accounts": {"transit": named["transit"], "venue": named["pool"]},
        "amounts": {
            name: {"minor": str(amount.minor), "asset": amount.asset}
            for name, amount in (("executed", given), ("taken", taken))
        },
    }


def _amounts(found: Return, *, debited: bool) -> dict[str, Money]:
    if "amounts" in found.terms:
        return {name: Money(int(one["minor"]), one["asset"]) for name, one in found.terms["amounts"].items()}
    amount, nothing = Money(int(found.amount_minor), found.asset), Money(0, found.asset)
    return {"debited": amount if debited else nothing, "credited": nothing if debited else amount}


def _draft(event_type: str, step: str, found: Return, *, debited: bool) -> Draft:
    refs = {"return": found.reference, "order": found.order_reference}
    refs |= {name: found.terms[name] for name in ("trade", "quote") if found.terms.get(name)}
    return Draft(
        event_type=event_type,
        key=f"{found.reference}:{step}",
        subject=found.reference,
        refs=refs,
        metadata={"settlement": "net"} if event_type == "RETURN_KEPT" else {},
        amounts=_amounts(found, debited=debited),
        accounts=dict(found.terms["accounts"]),
    )
