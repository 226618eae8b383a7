"""A posting behind which there is no trade and quote and order, no intent, no return, no provider event, and which is no
funding, settlement or adjustment that people decided. A funding is of a market or pool, approved by a second person, or asked
for by a key of the house.

Each transaction of the window is joined by the ids that it carries, never by amount or time; its first posting names it.
"""

from reconciliation.check import Check

_QUERY = """
WITH unjoined_orders AS MATERIALIZED (
    -- of an order's transactions those without its order, trade and quote, all three together
    SELECT x.id FROM ledger_transaction x
    WHERE x.book_id = %(book)s AND x.effective_at >= %(from)s AND x.effective_at < %(to)s
      AND (x.event_type LIKE 'TRADE%%' OR x.event_type LIKE 'ORDER%%') AND x.event_type <> 'TRADE_RETURN'
      AND NOT EXISTS (
        SELECT FROM orders_trade t JOIN orders_order o ON o.reference = t.order_reference
        JOIN orders_quote q ON q.reference = t.quote_reference
        WHERE t.reference = x.refs ->> 'trade' AND t.order_reference = x.refs ->> 'order'
          AND t.order_reference = x.subject AND t.quote_reference = x.refs ->> 'quote')
), suspects AS MATERIALIZED (
    -- of the others all
    SELECT x.id FROM ledger_transaction x
    WHERE x.book_id = %(book)s AND x.effective_at >= %(from)s AND x.effective_at < %(to)s
      AND (x.event_type NOT LIKE 'TRADE%%' AND x.event_type NOT LIKE 'ORDER%%' OR x.event_type = 'TRADE_RETURN')
    UNION ALL
    (SELECT u.id FROM unjoined_orders u LIMIT 10001)
), unjoined AS (
    SELECT x.*, CASE
               WHEN x.event_type IN ('TRADE_RESERVE', 'TRADE_SETTLE', 'TRADE_RELEASE', 'ORDER_REDEMPTION', 'ORDER_REVERSAL',
                                     'ORDER_DEBIT_CONFIRMED', 'ORDER_CREDIT_CONFIRMED', 'ORDER_COMPENSATION')
                   THEN CASE WHEN o.id IS NULL THEN 'no such order' WHEN t.id IS NULL THEN 'no such trade'
                             WHEN q.id IS NULL THEN 'no such quote'
                             WHEN t.order_reference <> o.reference OR t.quote_reference <> q.reference
                                  OR x.subject <> o.reference THEN 'its order, trade and quote do not belong together' END
               WHEN x.event_type IN ('TRADE_RETURN', 'LATE_EFFECT', 'RETURN_GIVEN_BACK', 'RETURN_KEPT', 'PAYOUT_RETURN')
                   THEN CASE WHEN r.id IS NULL THEN 'no such return' END
               WHEN x.event_type LIKE 'PAYOUT%%' OR x.event_type LIKE 'TRANSFER%%'
                   THEN CASE WHEN i.id IS NULL THEN 'no such intent' END
               WHEN x.event_type LIKE 'PAYIN%%'
                   THEN CASE WHEN y.id IS NULL THEN 'no such pay-in' WHEN n.id IS NULL THEN 'no such provider event' END
               WHEN x.event_type IN ('MANUAL_ADJUSTMENT', 'OPERATOR_SETTLEMENT')
                   THEN CASE WHEN a.id IS NULL THEN 'nobody approved it' END
               WHEN x.event_type = 'MARKET_VOID'
                   THEN CASE WHEN k.id IS NULL THEN 'no such market' END
               WHEN x.event_type IN ('OPENING_BALANCE', 'POOL_FUNDING', 'FX_REVALUATION')
                   THEN CASE WHEN a.id IS NULL AND k.id IS NULL AND l.id IS NULL AND NOT EXISTS (
                       SELECT FROM wallets_apirequest h JOIN wallets_operator w ON w.id = h.operator_id AND w.kind = 'house'
                       WHERE h.request_id = x.request_id AND h.environment = %(environment)s AND h.method = 'POST')
                   THEN 'nobody approved it, no request of the house asked for it, no market or pool was opened with it' END
               ELSE 'an event type that nothing stands behind' END AS reason
    FROM suspects s JOIN ledger_transaction x ON x.id = s.id
    LEFT JOIN orders_order o ON o.reference = x.refs ->> 'order'
    LEFT JOIN orders_trade t ON t.reference = x.refs ->> 'trade'
    LEFT JOIN orders_quote q ON q.reference = x.refs ->> 'quote'
    LEFT JOIN orders_return r ON r.reference = x.subject
    LEFT JOIN orders_intent i ON i.reference = x.subject
    LEFT JOIN orders_payin y ON y.reference = x.subject
    LEFT JOIN webhooks_inboundevent n ON n.reference = x.refs ->> 'inbound_event'
    LEFT JOIN ledger_approval a ON a.reference = x.refs ->> 'approval' AND a.decision = 'approved'
    LEFT JOIN orders_market k ON k.reference = x.subject
    LEFT JOIN orders_pool l
        ON x.event_type = 'POOL_FUNDING' AND x.subject = 'pool:' || l.code AND l.environment = %(environment)s
)
SELECT 'led_' || replace(p.first::text, '-', '') AS subject, coalesce(u.refs ->> 'order', u.subject) AS order_reference,
       o.operator_id, p.asset, p.amount_minor,
       jsonb_build_object('reason', u.reason, 'ledger_key', u.key, 'event_type', u.event_type, 'subject', u.subject,
                          'order_id', u.refs ->> 'order', 'transact_id', u.refs ->> 'trade',
                          'quote_id', u.refs ->> 'quote', 'request_id', u.request_id, 'postings', p.postings) AS detail
FROM unjoined u
JOIN LATERAL (SELECT (array_agg(g.id ORDER BY g.position))[1] AS first, (array_agg(g.asset ORDER BY g.position))[1] AS asset,
                     (array_agg(g.amount_minor ORDER BY g.position))[1] AS amount_minor, count(*) AS postings
              FROM ledger_posting g WHERE g.transaction_id = u.id) p ON p.first IS NOT NULL
LEFT JOIN orders_order o ON o.reference = u.refs ->> 'order'
WHERE u.reason IS NOT NULL
"""

CHECK = Check(
    place=10,
    name="posting_that_joins_to_nothing",
    title="Posting that joins to nothing",
    meaning="A balance movement without the record that caused it.",
    first_action="Use ids first, amounts second: find the trade, quote and partner order by the posting's own ids.",
    owner="finance",
    point=2,
    follows=("missing_quote", "missing_trade", "duplicate_trade_attempt"),
    suspects=(("unjoined_orders", 10_000),),
    query=_QUERY,
)
