"""An order processed, or an accepted quote of a terminal order that says it traded, without a trade."""

from reconciliation.check import Check

# An accepted quote is named only where its order has a trade on other terms: else the order itself is named.
_QUERY = """
WITH every_untraded AS MATERIALIZED (
    SELECT q.reference FROM close_quotes(%(environment)s, %(from)s, %(to)s) q
    WHERE q.state = 'accepted' AND NOT EXISTS (SELECT FROM orders_trade t WHERE t.quote_reference = q.reference)
), untraded AS (
    SELECT * FROM every_untraded LIMIT 10001
)
SELECT o.reference AS subject, o.reference AS order_reference, o.operator_id, o.source_asset AS asset,
       o.source_minor AS amount_minor,
       jsonb_build_object('reason', 'order processed without a trade', 'order_id', o.reference,
                          'partner_order_id', o.partner_order_id, 'quote_id', o.quote_reference,
                          'request_id', o.request_id) AS detail
FROM close_orders(%(environment)s, %(from)s, %(to)s) o
WHERE o.state = 'processed' AND NOT EXISTS (SELECT FROM orders_trade t WHERE t.order_reference = o.reference)
UNION ALL
SELECT q.reference, o.reference, q.operator_id, q.source_asset, q.source_minor,
       jsonb_build_object('reason', 'accepted quote without a trade, though its order says it traded',
                          'order_id', o.reference, 'partner_order_id', o.partner_order_id, 'quote_id', q.reference,
                          'request_id', o.request_id)
FROM untraded u
JOIN orders_quote q ON q.reference = u.reference
JOIN orders_order o ON o.reference = q.order_reference
WHERE o.state = 'processed'
  AND EXISTS (SELECT FROM orders_trade t WHERE t.order_reference = o.reference)
"""

CHECK = Check(
    place=2,
    name="missing_trade",
    title="Missing trade",
    meaning="User may not have accepted, quote expired, or transact failed.",
    first_action="Retrieve quote/trade by id if available.",
    owner="ops",
    point=1,
    suspects=(("every_untraded", 10_000),),
    query=_QUERY,
)
