"""A terminal event applied, whose trade, payout or collection has no posting at all (0Pools: "Queue an exception").

Our own event of a built-in pool's trade stands for the provider's. It is applied once the relay has passed it on and every
endpoint that takes it has it: until then the webhook is missing, not the ledger row. Some postings of several missing is a
ledger mismatch.
"""

from reconciliation.check import Check

_QUERY = """
WITH every_unreserved AS MATERIALIZED (
    SELECT t.id FROM close_trades(%(environment)s, %(from)s, %(to)s) t
    WHERE NOT EXISTS (
        SELECT FROM ledger_transaction x JOIN ledger_posting p ON p.transaction_id = x.id AND p.position = 0
        WHERE x.subject = t.order_reference AND x.refs ->> 'trade' = t.reference AND x.event_type = 'TRADE_RESERVE'
          AND x.book_id = %(book)s)
), unreserved AS (
    SELECT * FROM every_unreserved LIMIT 10001
), ended AS (
    SELECT t.reference, t.version, t.order_reference AS belongs_to, t.order_reference AS booked_under,
           t.quote_reference, t.operator_id, t.reference AS trade, o.source_asset AS asset, o.source_minor AS amount_minor,
           'trade.' || m.to_state AS topic, m.to_state AS status
    FROM unreserved u JOIN orders_trade t ON t.id = u.id
    LEFT JOIN ledger_move m ON m.subject = t.reference AND m.sequence = t.version AND m.environment = %(environment)s
        AND m.machine = 'trade' AND m.moved_at >= %(from)s
    LEFT JOIN orders_order o ON o.reference = t.order_reference
    WHERE CASE WHEN m.to_state IN ('settled', 'failed', 'released', 'returned') THEN true ELSE false END
    UNION ALL
    SELECT i.reference, i.version, i.reference, i.reference, '', i.operator_id, NULL, i.asset, i.amount_minor,
           'intent.' || upper(i.state), i.state
    FROM close_intents(%(environment)s, %(from)s, %(to)s) i
    WHERE i.state = 'settled' OR (i.state = 'failed' AND i.authorized_at IS NOT NULL)
), bare AS (
    SELECT e.* FROM ended e
    WHERE NOT EXISTS (
        SELECT FROM ledger_transaction x JOIN ledger_posting p ON p.transaction_id = x.id
        WHERE x.subject = e.booked_under AND x.book_id = %(book)s AND (e.trade IS NULL OR x.refs ->> 'trade' = e.trade))
)
SELECT b.reference AS subject, b.belongs_to AS order_reference, b.operator_id, coalesce(b.asset, '') AS asset,
       coalesce(b.amount_minor, 0) AS amount_minor,
       jsonb_build_object('reason', 'the event was applied, nothing is booked', 'transact_id', b.trade,
                          'order_id', b.belongs_to, 'quote_id', b.quote_reference, 'status', b.status,
                          'event_id', v.reference, 'topic', b.topic, 'request_id', v.request_id) AS detail
FROM bare b
JOIN ledger_event_ever v ON v.aggregate = b.reference AND v.sequence = b.version AND v.topic = b.topic
LEFT JOIN ledger_queuedevent w ON w.event_id = v.id
WHERE w.dead_at IS NULL AND NOT EXISTS (
    SELECT FROM webhooks_delivery d WHERE d.event_id = v.id AND d.state = 'dead' AND NOT EXISTS (
        SELECT FROM webhooks_delivery y
        WHERE y.event_id = d.event_id AND y.endpoint_id = d.endpoint_id AND (y.id > d.id OR y.state = 'delivered')))
UNION ALL
SELECT coalesce(y.reference, n.reference), coalesce(y.reference, ''), coalesce(y.operator_id, n.operator_id),
       coalesce(y.asset, ''), coalesce(y.gross_minor, 0),
       jsonb_build_object('reason', 'the provider''s transaction was taken, nothing is booked', 'event_id', n.reference,
                          'provider', n.provider_code, 'provider_event_id', n.provider_event_id,
                          'provider_transaction', t.reference, 'kind', t.kind, 'pay_in_id', y.reference,
                          'request_id', n.request_id)
FROM webhooks_inboundevent n
JOIN webhooks_providertransaction t ON t.event_reference = n.reference
LEFT JOIN orders_payin y ON y.inbound_event = n.reference
WHERE n.environment = %(environment)s AND n.created_at >= %(from)s AND n.created_at < %(to)s AND n.state = 'applied'
  AND NOT EXISTS (
    SELECT FROM ledger_transaction x JOIN ledger_posting p ON p.transaction_id = x.id
    WHERE x.subject = y.reference AND x.book_id = %(book)s)
  AND (y.id IS NOT NULL OR t.kind NOT LIKE 'payout%%')
"""

CHECK = Check(
    place=5,
    name="webhook_without_ledger_row",
    title="Webhook without ledger row",
    meaning="A terminal event was applied and its trade or payout has no posting.",
    first_action="Queue an exception.",
    owner="finance",
    point=1,
    suspects=(("every_unreserved", 10_000),),
    query=_QUERY,
)
