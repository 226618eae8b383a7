"""How REST shows quotes, orders and pools: ids, statuses, decimal strings, instants. Nothing of the inside."""

from typing import Any

from ledger import assets
from ledger.controls.rest.answers import instant
from orders.models import Order, Pool, Quote


def quote(row: Quote) -> dict[str, Any]:
    """Show a quote; an indicative one has no id."""
    return {
        "quote_id": row.reference or None,
        "pool_id": row.pool_code,
        "side": row.side,
        "status": row.state,
        "firm": bool(row.reference),
        "user_reference": row.user_reference,
        "source_asset": row.source_asset,
        "source_amount": assets.text(int(row.source_minor), row.source_asset),
        "target_asset": row.target_asset,
        "target_amount": assets.text(int(row.target_minor), row.target_asset),
        "fees": row.fee_items,
        "total_fee": assets.text(int(row.fee_minor), row.source_asset),
        "total_vat": assets.text(int(row.vat_minor), row.source_asset),
        "fx": _fx(row),
        "order_id": row.order_reference or None,
        "created_at": instant(row.created_at),
        "expires_at": instant(row.expires_at),
    }


def order(row: Order) -> dict[str, Any]:
    """Show an order."""
    return {
        "order_id": row.reference,
        "partner_order_id": row.partner_order_id,
        "user_reference": row.user_reference,
        "quote_id": row.quote_reference,
        "pool_id": row.pool_code,
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
    }


def pool(row: Pool, *, halted: bool) -> dict[str, Any]:
    """Show a pool with its limits, in its cash asset; never its reserves."""
    return {
        "pool_id": row.code,
        "kind": "pair",
        "cash_asset": row.cash_asset,
        "position_asset": row.position_asset,
        "minimum": assets.text(int(row.minimum_minor), row.cash_asset),
        "maximum": assets.text(int(row.maximum_minor), row.cash_asset),
        "halted": halted,
    }


def _fx(row: Quote) -> dict[str, str] | None:
    if row.fx_rate is None or row.fx_observed_at is None:
        return None
    return {
        "rate": format(row.fx_rate.normalize(), "f"),
        "source": row.fx_source,
        "as_of": instant(row.fx_observed_at),
    }
