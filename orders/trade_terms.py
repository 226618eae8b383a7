"""A trade's terms: the named amounts and accounts of its ledger lines, kept with it, posted from nowhere else."""

from dataclasses import replace
from typing import Any

from ledger import accounts
from ledger.drafts import Draft
from ledger.money import Money
from orders.models import Order, Pool, Quote, Trade


def of_quote(quote: Quote, *, pool: Pool, operator_slug: str) -> dict[str, Any]:
    """Return the terms of a trade: each named amount is one line of its hold, and of what settles it."""
    amounts = _bought(quote) if quote.side == Quote.Side.BUY else _sold(quote)
    named = {
        "transit": accounts.order_transit(operator_slug),
        "due": accounts.operator_due(operator_slug),
        "pool": pool_account(pool),
        "position": position_account(pool, operator_slug=operator_slug, user_reference=quote.user_reference),
        "revenue": accounts.ORDER_REVENUE,
        "vat": accounts.VAT_PAYABLE,
    }
    wallet_asset = quote.wallet_amount.asset
    if quote.cash_asset != wallet_asset:
        named["fx_wallet"] = accounts.fx(wallet_asset)
        named["fx_cash"] = accounts.fx(quote.cash_asset)
    settled_by = "ORDER_REDEMPTION" if quote.side == Quote.Side.REDEMPTION else "TRADE_SETTLE"
    return {
        "settled_by": settled_by,
        "amounts": {name: {"minor": str(amount.minor), "asset": amount.asset} for name, amount in amounts.items()},
        "accounts": named,
        **({"venue_quote": quote.venue_quote_id} if pool.venue is not None else {}),
    }


def pool_account(pool: Pool) -> str:
    """Return where a pool's side of a trade stands: its reserves, or what an outside venue owes us and we owe it."""
    return accounts.venue_clearing(pool.venue.code) if pool.venue is not None else accounts.pool(pool.ledger_name)


def is_outside(trade: Trade) -> bool:
    """Tell whether an outside venue executes this trade."""
    return "venue_quote" in trade.terms


def of_trade(trade: Trade, *names: str) -> Money:
    """Return the first of these named amounts that the trade has."""
    amounts = _amounts(trade)
    return next(amounts[name] for name in names if name in amounts)


def at_the_venue(order: Order, trade: Trade) -> tuple[Money, Money]:
    """Return what a trade's venue takes, and what it gives."""
    buys = order.side == Quote.Side.BUY
    taken = of_trade(trade, *(("converted", "net") if buys else ("sold",)))
    return taken, of_trade(trade, "position" if buys else "proceeds")


def position_account(pool: Pool, *, operator_slug: str, user_reference: str) -> str:
    """Return a user's account of the pool's asset. Shares of every market are of the same assets: its code goes before."""
    user_part = f"{pool.market_code}.{user_reference}" if pool.market_code else user_reference
    return accounts.position(operator_slug, user_part)


def _bought(quote: Quote) -> dict[str, Money]:
    """A buy: what transit gives, what the pool gives, FX (`converted`) where assets differ."""
    wallet = quote.wallet_amount
    fee, vat = _fees(quote)
    amounts = {
        "net": wallet - fee - vat,
        "fee": fee,
        "vat": vat,
        "position": Money(int(quote.target_minor), quote.target_asset),
    }
    if quote.cash_asset != wallet.asset:
        amounts["converted"] = Money(int(quote.cash_minor), quote.cash_asset)
    return amounts


def _sold(quote: Quote) -> dict[str, Money]:
    """A sell: what of the position is given, the proceeds, FX (`paid`) where assets differ, fee and VAT of the payout."""
    payout = quote.wallet_amount
    fee, vat = _fees(quote)
    amounts = {
        "sold": Money(int(quote.source_minor), quote.source_asset),
        "proceeds": Money(int(quote.cash_minor), quote.cash_asset),
        "fee": fee,
        "vat": vat,
    }
    if quote.cash_asset != payout.asset:
        amounts["paid"] = payout + fee + vat
    return amounts


def _fees(quote: Quote) -> tuple[Money, Money]:
    asset = quote.wallet_amount.asset
    return Money(int(quote.fee_minor), asset), Money(int(quote.vat_minor), asset)


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
        event_type=trade.terms.get("settled_by", "TRADE_SETTLE"),
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


def credit_confirmed(order: Order, trade: Trade) -> Draft:
    """What the operator's wallet was credited has left transit: we owe it to the operator."""
    return _of_order("ORDER_CREDIT_CONFIRMED", "credit_confirmed", order, trade)


def reversal(order: Order, trade: Trade) -> Draft:
    """The settled trade turned round, line by line: the position comes back, the pool gets back what it gave."""
    return Draft(
        event_type="ORDER_REVERSAL",
        key=f"{order.reference}:reversal",
        subject=order.reference,
        refs=_refs(trade),
        amounts=_amounts(trade),
        accounts=_accounts(trade),
    )


def for_net_settlement(draft: Draft) -> Draft:
    """The same draft, marked as settled with the operator outside the protocol: finance nets it."""
    return replace(draft, metadata={**draft.metadata, "settlement": "net"})


def _of_order(event_type: str, step: str, order: Order, trade: Trade) -> Draft:
    return Draft(
        event_type=event_type,
        key=f"{order.reference}:{step}",
        subject=order.reference,
        refs=_refs(trade),
        amounts={"amount": order.wallet_amount},
        accounts=_accounts(trade),
    )


def _refs(trade: Trade) -> dict[str, str]:
    return {"order": trade.order_reference, "trade": trade.reference, "quote": trade.quote_reference}


def _amounts(trade: Trade) -> dict[str, Money]:
    return {name: Money(int(value["minor"]), value["asset"]) for name, value in trade.terms["amounts"].items()}


def _accounts(trade: Trade) -> dict[str, str]:
    return dict(trade.terms["accounts"])
