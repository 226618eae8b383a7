-- The orders that an id names, whatever kind of id it is: exact ids only, never an amount or a time.
-- Each hop takes what the hops before have found as an array: few ids, each by an index, whatever the planner expects.
WITH inbound AS (
    SELECT e.reference, e.subjects FROM webhooks_inboundevent e WHERE e.reference = %(id)s
    UNION SELECT e.reference, e.subjects FROM webhooks_provider v JOIN webhooks_inboundevent e  -- by its index
        ON e.provider_id = v.id AND e.provider_event_id = %(id)s
    UNION SELECT e.reference, e.subjects FROM webhooks_provider v JOIN webhooks_providertransaction x
        ON x.provider_id = v.id AND x.reference = %(id)s
        JOIN webhooks_inboundevent e ON e.reference = x.event_reference
), about AS (
    SELECT s.id FROM inbound i CROSS JOIN LATERAL jsonb_array_elements_text(i.subjects) AS s (id)
), named AS (
    SELECT a.id AS subject FROM about a
    UNION SELECT p.owner FROM wallets_remoteoperation p WHERE p.key = ANY (ARRAY(SELECT id FROM about))
    UNION SELECT o.reference AS subject FROM orders_order o WHERE o.reference = %(id)s OR o.partner_order_id = %(id)s
        OR o.quote_reference = %(id)s OR o.request_id = %(id)s OR o.idempotency_key = %(id)s
    UNION SELECT t.order_reference FROM orders_trade t WHERE t.reference = %(id)s
    UNION SELECT q.order_reference FROM orders_quote q WHERE q.venue_quote_id = %(id)s AND q.venue_quote_id <> ''
    UNION SELECT r.order_reference FROM orders_return r WHERE r.reference = %(id)s OR r.operation_key = %(id)s
    UNION SELECT p.owner FROM wallets_remoteoperation p
        WHERE p.reference = %(id)s OR p.key = %(id)s OR (p.remote_ref = %(id)s AND p.remote_ref <> '')
    UNION SELECT p.owner FROM wallets_remoteattempt a JOIN wallets_remoteoperation p ON p.id = a.operation_id
        WHERE a.request_id = %(id)s
    UNION SELECT q.subject FROM wallets_apirequest q WHERE q.request_id = %(id)s
    UNION SELECT q.subject FROM wallets_operator w CROSS JOIN (VALUES ('live'), ('test')) AS v (environment)
        JOIN wallets_apirequest q  -- by its index
        ON q.operator_id = w.id AND q.environment = v.environment AND q.idempotency_key = %(id)s
    UNION SELECT e.aggregate FROM ledger_event e WHERE e.reference = %(id)s
    UNION SELECT d.aggregate FROM webhooks_delivery d WHERE d.reference = %(id)s
    UNION SELECT c.subject FROM orders_reviewcase c WHERE c.reference = %(id)s
    UNION SELECT x.order_reference FROM reconciliation_exceptioncase x WHERE x.reference = %(id)s
    UNION SELECT x.subject FROM ledger_posting g JOIN ledger_transaction x ON x.id = g.transaction_id
        WHERE g.id = %(posting)s::uuid
    UNION SELECT x.subject FROM ledger_book b JOIN ledger_key k  -- by its index
        ON k.book_id = b.id AND k.key = %(id)s JOIN ledger_transaction x ON x.id = k.transaction_id
), resolved AS (
    SELECT n.subject AS reference FROM named n
    UNION SELECT t.order_reference FROM orders_trade t WHERE t.reference = ANY (ARRAY(SELECT subject FROM named))
    UNION SELECT q.order_reference FROM orders_quote q WHERE q.reference = ANY (ARRAY(SELECT subject FROM named))
    UNION SELECT r.order_reference FROM orders_return r WHERE r.reference = ANY (ARRAY(SELECT subject FROM named))
    UNION SELECT c.subject FROM orders_reviewcase c WHERE c.reference = ANY (ARRAY(SELECT subject FROM named))
    UNION SELECT r.order_reference FROM wallets_remoteoperation p JOIN orders_return r ON r.reference = p.owner
        WHERE p.reference = ANY (ARRAY(SELECT subject FROM named))
    UNION SELECT t.order_reference FROM wallets_remoteoperation p JOIN orders_trade t ON t.reference = p.owner
        WHERE p.reference = ANY (ARRAY(SELECT subject FROM named))
    UNION SELECT p.owner FROM wallets_remoteoperation p WHERE p.reference = ANY (ARRAY(SELECT subject FROM named))
)
SELECT o.id FROM orders_order o WHERE o.reference = ANY (ARRAY(SELECT reference FROM resolved)) ORDER BY o.id DESC LIMIT 50
