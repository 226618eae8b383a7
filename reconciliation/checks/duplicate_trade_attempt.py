"""More than one trade of an order that is not released-then-retried, or an idempotency conflict on its acceptance.

The trade too many is named, not its order: the first one stands. A trade that was released may be followed by one more that
names it (0Pools: "Remove hold and allow retry"). A conflict is a request that came with the key of an acceptance and asked
for something else; it names the order that the key made.
"""

from reconciliation.check import Check

_QUERY = """
WITH numbered AS (
    SELECT t.*, row_number() OVER of_order AS place, lag(t.state) OVER of_order AS before,
           first_value(t.reference) OVER of_order AS first_reference
    FROM orders_trade t
    WHERE t.order_reference IN (
        SELECT w.order_reference FROM close_trades(%(environment)s, %(from)s, %(to)s) w
        WHERE EXISTS (SELECT FROM orders_trade s WHERE s.order_reference = w.order_reference AND s.id <> w.id))
    WINDOW of_order AS (PARTITION BY t.order_reference ORDER BY t.id)
)
SELECT n.reference AS subject, n.order_reference, n.operator_id, coalesce(o.source_asset, '') AS asset,
       coalesce(o.source_minor, 0) AS amount_minor,
       jsonb_build_object('reason', 'a second trade of its order', 'transact_id', n.reference, 'status', n.state,
                          'first_transact_id', n.first_reference, 'order_id', n.order_reference,
                          'quote_id', n.quote_reference, 'idempotency_key', n.idempotency_key,
                          'request_id', o.request_id) AS detail
FROM numbered n LEFT JOIN orders_order o ON o.reference = n.order_reference
WHERE n.place > 2 OR (n.place = 2 AND (n.before <> 'released' OR n.retry_of <> n.first_reference))
UNION ALL
SELECT o.reference, o.reference, o.operator_id, o.source_asset, o.source_minor,
       jsonb_build_object('reason', 'idempotency conflict on its acceptance', 'order_id', o.reference,
                          'partner_order_id', o.partner_order_id, 'quote_id', o.quote_reference,
                          'idempotency_key', o.idempotency_key, 'request_id', o.request_id,
                          'conflicts', jsonb_agg(DISTINCT c.request_id))
FROM wallets_apirequest c
JOIN wallets_apirequest f ON f.operator_id = c.operator_id AND f.environment = c.environment
    AND f.idempotency_key = c.idempotency_key AND f.replay = 'first'
JOIN orders_order o ON o.reference = f.subject AND o.operator_id = c.operator_id AND o.environment = c.environment
    AND o.idempotency_key = c.idempotency_key
WHERE c.environment = %(environment)s AND c.replay = 'conflict'
  AND c.received_at >= %(from)s AND c.received_at < %(to)s
GROUP BY o.id
"""

CHECK = Check(
    place=3,
    name="duplicate_trade_attempt",
    title="Duplicate trade attempt",
    meaning="Retry or double-click path may be wrong.",
    first_action="Check idempotency key and conflict response.",
    owner="ops",
    point=1,
    query=_QUERY,
)
