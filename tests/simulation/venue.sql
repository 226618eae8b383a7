-- Trades at outside venues: settled once or released once, as their state says; what the venue says is held against it beside this.
WITH trades AS MATERIALIZED (
    SELECT reference, order_reference, state FROM orders_trade WHERE terms ? 'venue_quote'
), endings AS (
    SELECT refs ->> 'trade' AS trade, event_type FROM ledger_transaction
    WHERE event_type IN ('TRADE_SETTLE', 'TRADE_RELEASE')
)
SELECT 'one effect' AS rule, t.reference AS subject,
       format('the trade is %s, settled %s times and released %s times', t.state,
              count(*) FILTER (WHERE e.event_type = 'TRADE_SETTLE'),
              count(*) FILTER (WHERE e.event_type = 'TRADE_RELEASE')) AS detail
FROM trades t LEFT JOIN endings e ON e.trade = t.reference GROUP BY t.reference, t.state
HAVING count(*) FILTER (WHERE e.event_type = 'TRADE_SETTLE') <> (t.state IN ('settled', 'returned'))::int
    OR count(*) FILTER (WHERE e.event_type = 'TRADE_RELEASE') <> (t.state IN ('released', 'failed'))::int
UNION ALL
SELECT 'one effect', order_reference, format('%s of its trades stand', count(*)) FROM trades
WHERE state NOT IN ('released', 'failed') GROUP BY order_reference HAVING count(*) > 1
