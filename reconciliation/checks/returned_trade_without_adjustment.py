"""A trade `returned`, and neither TRADE_RETURN nor ORDER_REVERSAL behind it (0Pools: "Returned trade ignored")."""

from reconciliation.check import Check

_QUERY = """
WITH given_back AS MATERIALIZED (
    SELECT m.id FROM ledger_move m
    WHERE m.environment = %(environment)s AND m.machine = 'trade' AND m.to_state = 'returned' AND m.moved_at >= %(from)s
)
SELECT t.reference AS subject, t.order_reference, t.operator_id, coalesce(o.source_asset, '') AS asset,
       coalesce(o.source_minor, 0) AS amount_minor,
       jsonb_build_object('reason', 'returned, and no adjustment is booked', 'transact_id', t.reference,
                          'status', m.to_state, 'order_id', t.order_reference, 'quote_id', t.quote_reference,
                          'return_id', r.reference) AS detail
FROM given_back g
JOIN ledger_move m ON m.id = g.id
JOIN LATERAL close_trades(%(environment)s, %(from)s, %(to)s) t ON t.reference = m.subject AND t.version = m.sequence
LEFT JOIN orders_return r ON r.trade_reference = t.reference
LEFT JOIN orders_order o ON o.reference = t.order_reference
WHERE NOT EXISTS (
    SELECT FROM ledger_transaction x JOIN ledger_posting p ON p.transaction_id = x.id
    WHERE x.book_id = %(book)s AND (
        (x.subject = t.order_reference AND x.event_type = 'ORDER_REVERSAL')
        OR (x.subject = r.reference AND x.event_type = 'TRADE_RETURN')))
"""

CHECK = Check(
    place=8,
    name="returned_trade_without_adjustment",
    title="Returned trade without adjustment",
    meaning="A returned trade was ignored: its completed entry stands as if nothing had happened.",
    first_action="Post return adjustment.",
    owner="finance",
    point=1,
    query=_QUERY,
)
