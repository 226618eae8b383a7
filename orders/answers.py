"""How REST shows quotes, orders and pools: ids, statuses, decimal strings, instants. Nothing of the inside."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ledger import assets
from ledger.controls import prepared
from ledger.controls.rest.answers import instant, instant_or_none
from ledger.money import Money, Rounding, decimal_text, divide
from orders.models import Market, Order, Pool, Quote

INDICATIVE: Final = "indicative"
"""The status of a price that is not kept."""

_PRICE_SCALE: Final = 12
_TRADES: Final = (
    "SELECT order_reference, reference FROM orders_trade WHERE order_reference = ANY(%s::text[]) ORDER BY id"
)
_FEE_ITEM: Final = ("name", "version", "amount", "vat", "asset")


def quote(row: Quote) -> dict[str, Any]:
    """Show a quote; an indicative one has no id."""
    return {
        "quote_id": row.reference or None,
        "pool_id": row.pool_code,
        "side": row.side,
        "status": row.state if row.reference else INDICATIVE,
        "firm": bool(row.reference),
        "user_reference": row.user_reference,
        "source_asset": row.source_asset,
        "source_amount": assets.text(int(row.source_minor), row.source_asset),
        "target_asset": row.target_asset,
        "target_amount": assets.text(int(row.target_minor), row.target_asset),
        "fees": [{name: item[name] for name in _FEE_ITEM} for item in row.fee_items],
        "total_fee": assets.text(int(row.fee_minor), row.wallet_amount.asset),
        "total_vat": assets.text(int(row.vat_minor), row.wallet_amount.asset),
        "fx": _fx(row),
        "price": _price(row),
        "order_id": row.order_reference or None,
        "created_at": instant(row.created_at),
        "expires_at": instant(row.expires_at),
    }


def order(row: Order, *, transact_id: str) -> dict[str, Any]:
    """Show an order with its trade."""
    return {
        "order_id": row.reference,
        "partner_order_id": row.partner_order_id,
        "user_reference": row.user_reference,
        "quote_id": row.quote_reference,
        "pool_id": row.pool_code,
        "transact_id": transact_id,
        "side": row.side,
        "status": row.state,
        "status_reason": row.status_reason or None,
        "terminal": row.terminal,
        "source_asset": row.source_asset,
        "source_amount": assets.text(int(row.source_minor), row.source_asset),
        "target_asset": row.target_asset,
        "target_amount": assets.text(int(row.target_minor), row.target_asset),
        "created_at": instant(row.created_at),
        "updated_at": instant(row.updated_at),
        "ended_at": instant_or_none(row.ended_at),
    }


def transact_ids(rows: Iterable[Order]) -> Mapping[str, str]:
    """Return each order's newest trade by the order's reference, in one query."""
    return dict(prepared.rows(_TRADES, [[row.reference for row in rows]]))


def markets(rows: Sequence[Pool]) -> Mapping[str, Market]:
    """Return the markets of outcomes' pools of one environment by their code, in one query."""
    codes = {row.market_code for row in rows if row.market_code}
    if not codes:
        return {}
    return {found.code: found for found in Market.objects.filter(environment=rows[0].environment, code__in=codes)}


def pool(row: Pool, *, halted: bool, market: Market | None) -> dict[str, Any]:
    """Show a pool with its limits, in its cash asset; never its reserves."""
    return {
        "pool_id": row.code,
        "kind": "outcome" if market else "pair",
        "cash_asset": row.cash_asset,
        "position_asset": row.position_asset,
        "minimum": assets.text(int(row.minimum_minor), row.cash_asset),
        "maximum": assets.text(int(row.maximum_minor), row.cash_asset),
        "halted": halted,
        "market": _market(market, row) if market else None,
    }


def _market(market: Market, row: Pool) -> dict[str, Any]:
    """Show an outcome's market: its question and state, and what one share pays once it is resolved."""
    price = market.price_yes
    if price is not None and row.position_asset == "NO":
        price = 1 - price
    return {
        "code": market.code,
        "question": market.question,
        "outcome": row.position_asset.lower(),
        "status": market.state,
        "price": None if price is None else format(price, "f"),
    }


def _fx(row: Quote) -> dict[str, str] | None:
    if row.fx_rate is None or row.fx_observed_at is None:
        return None
    buys = row.side == Quote.Side.BUY
    return {
        "base_asset": row.source_asset if buys else row.cash_asset,
        "quote_asset": row.cash_asset if buys else row.target_asset,
        "rate": format(row.fx_rate.normalize(), "f"),
        "as_of": instant(row.fx_observed_at),
    }


def _price(row: Quote) -> str:
    """Write what one unit of the position is worth in the wallet's asset, fees and VAT not counted, to twelve decimals."""
    fees = int(row.fee_minor + row.vat_minor)
    if row.side == Quote.Side.BUY:
        worth, position = int(row.source_minor) - fees, Money(int(row.target_minor), row.target_asset)
    else:
        worth, position = int(row.target_minor) + fees, Money(int(row.source_minor), row.source_asset)
    wallet, held = assets.named(row.wallet_amount.asset), assets.named(position.asset)
    numerator, denominator = worth * 10 ** (held.scale + _PRICE_SCALE), position.minor * 10**wallet.scale
    return decimal_text(divide(numerator, denominator, Rounding.HALF_UP), _PRICE_SCALE)
