"""A terminal trade whose due event does not exist or was not applied.

For a built-in pool our own event about the trade stands for the provider's: the event row is missing, the relay gave
it up, or a delivery of it to an endpoint is dead and no later one took its place. No endpoint is no break.
"""

from reconciliation.check import Check

_QUERY = """
SELECT t.reference AS subject, t.order_reference, t.operator_id, coalesce(o.source_asset, '') AS asset,
       coalesce(o.source_minor, 0) AS amount_minor,
       jsonb_build_object('reason', CASE WHEN e.id IS NULL THEN 'the event does not exist'
                                         WHEN count(d.id) > 0 THEN 'its delivery is dead'
                                         ELSE 'the relay gave it up' END,
                          'transact_id', t.reference, 'status', m.to_state, 'order_id', t.order_reference,
                          'quote_id', t.quote_reference, 'event_id', e.reference,
                          'deliveries', jsonb_agg(d.reference ORDER BY d.id) FILTER (WHERE d.id IS NOT NULL)) AS detail
FROM close_trades(%(environment)s, %(from)s, %(to)s) t
LEFT JOIN ledger_move m ON m.subject = t.reference AND m.sequence = t.version AND m.environment = %(environment)s
    AND m.machine = 'trade' AND m.moved_at >= %(from)s
LEFT JOIN ledger_event_ever e
    ON e.aggregate = t.reference AND e.sequence = t.version AND e.topic = 'trade.' || m.to_state
LEFT JOIN ledger_queuedevent w ON w.event_id = e.id AND w.dead_at IS NOT NULL
LEFT JOIN (SELECT x.id, x.reference, x.event_id FROM webhooks_delivery x
           WHERE x.state = 'dead' AND NOT EXISTS (
               SELECT FROM webhooks_delivery y
               WHERE y.event_id = x.event_id AND y.endpoint_id = x.endpoint_id AND y.id > x.id)) d
    ON d.event_id = e.id
LEFT JOIN orders_order o ON o.reference = t.order_reference
WHERE CASE WHEN m.to_state IN ('settled', 'failed', 'released', 'returned')
           THEN e.id IS NULL OR w.event_id IS NOT NULL OR d.id IS NOT NULL ELSE false END
GROUP BY t.reference, t.order_reference, t.quote_reference, t.operator_id, m.to_state, e.id, e.reference,
         o.source_asset, o.source_minor
"""

CHECK = Check(
    place=4,
    name="missing_webhook",
    title="Missing webhook",
    meaning="Delivery issue or endpoint failure.",
    first_action="Poll trusted read and inspect delivery logs.",
    owner="ops",
    query=_QUERY,
)
