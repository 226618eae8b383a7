"""Postings inside the window whose trade or payout is not terminal (0Pools: "Hold close until status resolves").

Nor is the flow terminal of an order whose trade has ended and whose money has not: a sell that is not credited yet, a buy
that is not compensated yet, either of them under review. It holds the close as well; while its trade is reserved, the trade
is named.

A payout within its gateway's pending horizon is in flight, not a break: `in_flight` of the run's counts has it.
"""

from reconciliation.check import Check

_QUERY = """
WITH waiting AS (
    SELECT t.reference, t.order_reference AS belongs_to, t.order_reference AS booked_under, t.reference AS trade,
           t.quote_reference, t.operator_id, t.state, o.source_asset AS asset, o.source_minor AS amount_minor
    FROM orders_trade t
    JOIN ledger_move m ON m.subject = t.reference AND m.sequence = t.version AND m.environment = t.environment
        AND m.machine = 'trade' AND m.to_state = 'reserved'
    LEFT JOIN orders_order o ON o.reference = t.order_reference
    WHERE t.environment = %(environment)s AND t.state = 'reserved' AND t.created_at < %(to)s
    UNION ALL
    SELECT o.reference, o.reference, o.reference, NULL, o.quote_reference, o.operator_id, o.state, o.source_asset,
           o.source_minor
    FROM orders_order o
    JOIN ledger_move m ON m.subject = o.reference AND m.sequence = o.version AND m.environment = o.environment
        AND m.machine = 'order' AND m.to_state = o.state
    WHERE o.environment = %(environment)s AND o.created_at < %(to)s
      AND o.state IN ('operator_debited', 'operator_credit_pending', 'compensation_pending', 'manual_review')
      AND NOT EXISTS (SELECT FROM orders_trade t WHERE t.order_reference = o.reference AND t.state = 'reserved')
    UNION ALL
    SELECT i.reference, i.reference, i.reference, NULL, '', i.operator_id, i.state, i.asset, i.amount_minor
    FROM orders_intent i
    LEFT JOIN orders_payout p ON p.intent_reference = i.reference
    LEFT JOIN wallets_gateway g ON g.id = p.gateway_id
    WHERE i.environment = %(environment)s AND i.state IN ('authorized', 'manual_review')
      AND (p.id IS NULL OR p.state IN ('dead_letter', 'manual_review')
           OR i.authorized_at + coalesce(g.pending_horizon_ms, 0) * interval '1 millisecond' <= %(as_of)s)
)
SELECT w.reference AS subject, w.belongs_to AS order_reference, w.operator_id, coalesce(w.asset, '') AS asset,
       coalesce(w.amount_minor, 0) AS amount_minor,
       jsonb_build_object('reason', 'booked, and its status is ' || w.state, 'transact_id', w.trade,
                          'order_id', w.belongs_to, 'quote_id', w.quote_reference, 'status', w.state) AS detail
FROM waiting w
WHERE EXISTS (
    SELECT FROM ledger_transaction x JOIN ledger_posting p ON p.transaction_id = x.id
    WHERE x.subject = w.booked_under AND x.book_id = %(book)s AND (w.trade IS NULL OR x.refs ->> 'trade' = w.trade)
      AND x.effective_at >= %(from)s AND x.effective_at < %(to)s)
"""

CHECK = Check(
    place=7,
    name="ledger_row_without_terminal_trade",
    title="Ledger row without terminal trade",
    meaning="Postings stand in the day's books and their trade or payout has not ended.",
    first_action="Hold close until status resolves.",
    owner="ops",
    point=1,
    approvable=False,
    query=_QUERY,
)
