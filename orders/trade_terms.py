"""A trade's terms: the named amounts and accounts of its ledger lines, kept with it, posted from nowhere else."""

from typing import Any

from ledger import accounts
from ledger.drafts import Draft
from ledger.money import Money
from orders.models import Order, Pool, Quote, Trade


def of_quote(quote: Quote, *, pool: Pool, operator_slug: str) -> dict[str, Any]:
    """Return the terms of a buy: what transit gives, what the pool gives, FX where assets differ."""
    asset = quote.source_asset
    net = int(quote.source_minor) - int(quote.fee_minor) - int(quote.vat_minor)
    amounts = {
        "net": Money(net, asset),
        "fee": Money(int(quote.fee_minor), asset),
        "vat": Money(int(quote.vat_minor), asset),
        "position": Money(int(quote.target_minor), quote.target_asset),
    }
    named = {
        "transit": accounts.order_transit(operator_slug),
        "due": accounts.operator_due(operator_slug),
        "pool": accounts.pool(pool.code),
        "position": accounts.position(operator_slug, quote.user_reference),
        "revenue": accounts.ORDER_REVENUE,
        "vat": accounts.VAT_PAYABLE,
    }
    if quote.cash_asset != asset:
        amounts["converted"] = Money(int(quote.cash_minor), quote.cash_asset)
        named["fx_wallet"] = accounts.fx(asset)
        named["fx_cash"] = accounts.fx(quote.cash_asset)
    return {
        "amounts": {name: {"minor": str(amount.minor), "asset": amount.asset} for name, amount in amounts.items()},
        "accounts": named,
    }


def reservation(trade: Trade) -> Draft:
    """One hold with every line of the trade; timeout 0, since its end is somebody else's to decide."""
    return Draft(
        event_type="TRADE_RESERVE",
        key=trade.hold_key,
        subject=trade.order_reference,
        refs=_refs(trade),
        amounts=_amounts(trade),
        accounts=_accounts(trade),
    )


def settlement(trade: Trade) -> Draft:
    return Draft(
        event_type="TRADE_SETTLE",
        key=f"{trade.reference}:settle",
        subject=trade.order_reference,
        refs=_refs(trade),
        amounts=_amounts(trade),
        accounts=_accounts(trade),
        hold_key=trade.hold_key,
    )


def release(trade: Trade) -> Draft:
    return Draft(
        event_type="TRADE_RELEASE",
        key=f"{trade.reference}:release",
        subject=trade.order_reference,
        refs=_refs(trade),
        hold_key=trade.hold_key,
    )


def debit_confirmed(order: Order, trade: Trade) -> Draft:
    """What the operator's wallet was debited is now owed to us by the operator, and in transit."""
    return _of_order("ORDER_DEBIT_CONFIRMED", "debit_confirmed", order, trade)


def compensation(order: Order, trade: Trade) -> Draft:
    """What was given back is no longer owed to us, and no longer in transit."""
    return _of_order("ORDER_COMPENSATION", "compensation", order, trade)


def _of_order(event_type: str, step: str, order: Order, trade: Trade) -> Draft:
    return Draft(
        event_type=event_type,
        key=f"{order.reference}:{step}",
        subject=order.reference,
        refs=_refs(trade),
        amounts={"amount": Money(int(order.source_minor), order.source_asset)},
        accounts=_accounts(trade),
    )


def _refs(trade: Trade) -> dict[str, str]:
    return {"order": trade.order_reference, "trade": trade.reference, "quote": trade.quote_reference}


def _amounts(trade: Trade) -> dict[str, Money]:
    return {name: Money(int(value["minor"]), value["asset"]) for name, value in trade.terms["amounts"].items()}


def _accounts(trade: Trade) -> dict[str, str]:
    return dict(trade.terms["accounts"])
