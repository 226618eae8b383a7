"""A terminal trade or payout whose due event does not exist or was not applied.

Outbound: our own event row is missing, the relay gave it up, or a delivery of it to an endpoint is dead, no later one took
its place and no other arrived there. No endpoint is no break; for a built-in pool our event about the trade stands for the
provider's.
A delivery is tried for three days: one that dies after its trade's date is named by the close of the day on which it died.
Inbound: an event that arrived and was never judged. Where a trusted status read has told meanwhile what the event would
have told, there is no gap any more.
"""

from reconciliation.check import Check

_QUERY = """
WITH untold AS MATERIALIZED (
    SELECT t.id FROM close_trades(%(environment)s, %(from)s, %(to)s) t
    WHERE t.state IN ('settled', 'failed', 'released', 'returned') AND NOT EXISTS (
        SELECT FROM ledger_event_ever e
        WHERE e.aggregate = t.reference AND e.sequence = t.version AND e.topic = 'trade.' || t.state)
), suspects AS MATERIALIZED (
    (SELECT u.id FROM untold u LIMIT 10001)
    UNION
    SELECT t.id FROM ledger_queuedevent w JOIN ledger_event_ever e ON e.id = w.event_id
    JOIN orders_trade t ON t.reference = e.aggregate WHERE w.dead_at IS NOT NULL AND e.recorded_at >= %(from)s
    UNION
    SELECT t.id FROM webhooks_delivery x JOIN ledger_event_ever e ON e.id = x.event_id
    JOIN orders_trade t ON t.reference = e.aggregate WHERE x.state = 'dead' AND e.recorded_at >= %(from)s
), died AS MATERIALIZED (
    SELECT DISTINCT e.id, e.aggregate, e.sequence, e.topic, e.operator_id
    FROM webhooks_delivery x JOIN ledger_event_ever e ON e.id = x.event_id
    WHERE x.state = 'dead' AND x.ended_at >= %(from)s AND x.ended_at < %(to)s
      AND e.environment = %(environment)s AND e.recorded_at < %(from)s
      AND NOT EXISTS (SELECT FROM ledger_move m WHERE m.environment = e.environment AND m.subject = e.aggregate
                      AND m.moved_at >= %(from)s AND m.moved_at < %(to)s)
), ended AS (
    SELECT t.reference, t.version, t.order_reference, t.quote_reference, t.operator_id, m.to_state AS status,
           'trade.' || m.to_state AS topic, o.source_asset AS asset, o.source_minor AS amount_minor
    FROM suspects s
    JOIN LATERAL close_trades(%(environment)s, %(from)s, %(to)s) t ON t.id = s.id
    LEFT JOIN ledger_move m ON m.subject = t.reference AND m.sequence = t.version AND m.environment = %(environment)s
        AND m.machine = 'trade' AND m.moved_at >= %(from)s
    LEFT JOIN orders_order o ON o.reference = t.order_reference
    WHERE CASE WHEN m.to_state IN ('settled', 'failed', 'released', 'returned') THEN true ELSE false END
    UNION ALL
    SELECT i.reference, i.version, i.reference, '', i.operator_id, i.state, 'intent.' || upper(i.state), i.asset,
           i.amount_minor
    FROM close_intents(%(environment)s, %(from)s, %(to)s) i WHERE i.state IN ('settled', 'failed', 'cancelled')
    UNION ALL
    SELECT t.reference, d.sequence, t.order_reference, t.quote_reference, t.operator_id, split_part(d.topic, '.', 2), d.topic,
           o.source_asset, o.source_minor
    FROM died d JOIN orders_trade t ON t.reference = d.aggregate LEFT JOIN orders_order o ON o.reference = t.order_reference
    WHERE d.topic IN ('trade.settled', 'trade.failed', 'trade.released', 'trade.returned')
    UNION ALL
    SELECT i.reference, d.sequence, i.reference, '', i.operator_id, lower(split_part(d.topic, '.', 2)), d.topic, i.asset,
           i.amount_minor
    FROM died d JOIN orders_intent i ON i.reference = d.aggregate
    WHERE d.topic IN ('intent.SETTLED', 'intent.FAILED', 'intent.CANCELLED')
), dead AS (
    SELECT x.id, x.reference, x.event_id FROM webhooks_delivery x
    WHERE x.state = 'dead' AND NOT EXISTS (
        SELECT FROM webhooks_delivery y
        WHERE y.event_id = x.event_id AND y.endpoint_id = x.endpoint_id AND (y.id > x.id OR y.state = 'delivered'))
)
SELECT t.reference AS subject, t.order_reference, t.operator_id, coalesce(t.asset, '') AS asset,
       coalesce(t.amount_minor, 0) AS amount_minor,
       jsonb_build_object('reason', CASE WHEN e.id IS NULL THEN 'the event does not exist'
                                         WHEN count(d.id) > 0 THEN 'its delivery is dead'
                                         ELSE 'the relay gave it up' END,
                          'transact_id', t.reference, 'status', t.status, 'order_id', t.order_reference,
                          'quote_id', t.quote_reference, 'event_id', e.reference,
                          'deliveries', jsonb_agg(d.reference ORDER BY d.id) FILTER (WHERE d.id IS NOT NULL)) AS detail
FROM ended t
LEFT JOIN ledger_event_ever e ON e.aggregate = t.reference AND e.sequence = t.version AND e.topic = t.topic
LEFT JOIN ledger_queuedevent w ON w.event_id = e.id AND w.dead_at IS NOT NULL
LEFT JOIN dead d ON d.event_id = e.id
WHERE e.id IS NULL OR w.event_id IS NOT NULL OR d.id IS NOT NULL
GROUP BY t.reference, t.order_reference, t.quote_reference, t.operator_id, t.status, e.id, e.reference, t.asset,
         t.amount_minor
UNION ALL
SELECT n.reference, coalesce(max(p.owner), ''), n.operator_id, coalesce(max(p.asset), ''), coalesce(max(p.amount_minor), 0),
       jsonb_build_object('reason', 'it arrived and was never applied: ' || n.state, 'event_id', n.reference,
                          'provider', n.provider_code, 'provider_event_id', n.provider_event_id, 'kind', n.kind,
                          'key', max(p.key), 'order_id', max(p.owner), 'request_id', n.request_id)
FROM webhooks_inboundevent n
LEFT JOIN LATERAL jsonb_array_elements_text(n.subjects) AS named (id) ON true
LEFT JOIN wallets_remoteoperation p ON p.key = named.id AND p.environment = n.environment
WHERE n.environment = %(environment)s AND n.created_at >= %(from)s AND n.created_at < %(to)s
  AND n.state IN ('received', 'parked', 'dead')
GROUP BY n.id
HAVING count(p.id) FILTER (WHERE p.state IN ('confirmed', 'rejected')) = 0
"""

CHECK = Check(
    place=4,
    name="missing_webhook",
    title="Missing webhook",
    meaning="Delivery issue or endpoint failure.",
    first_action="Poll trusted read and inspect delivery logs.",
    owner="ops",
    point=4,
    suspects=(("untold", 10_000),),
    query=_QUERY,
)
