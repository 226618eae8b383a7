-- The intents that an id names, whatever kind of id it is: exact ids only, never an amount or a time.
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
    UNION SELECT i.reference AS subject FROM orders_intent i WHERE i.reference = %(id)s
    UNION SELECT i.reference FROM orders_intent i WHERE i.reference_number = %(id)s AND i.reference_number <> ''
    UNION SELECT i.reference FROM orders_intent i WHERE i.lookup_ref = %(id)s AND i.lookup_ref <> ''
    UNION SELECT i.reference FROM orders_intent i WHERE i.response_id = %(id)s AND i.response_id <> ''
    UNION SELECT i.reference FROM wallets_operator w CROSS JOIN (VALUES ('live'), ('test')) AS v (environment)
        JOIN orders_intent i  -- by its index
        ON i.operator_id = w.id AND i.environment = v.environment AND i.partner_reference = %(id)s
        AND i.partner_reference <> ''
    UNION SELECT p.intent_reference FROM orders_payout p WHERE p.reference = %(id)s
    UNION SELECT r.intent_reference FROM orders_return r WHERE r.reference = %(id)s OR r.operation_key = %(id)s
    UNION SELECT x.subject FROM reconciliation_exceptioncase x WHERE x.reference = %(id)s
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
    UNION SELECT x.subject FROM ledger_posting g JOIN ledger_transaction x ON x.id = g.transaction_id
        WHERE g.id = %(posting)s::uuid
    UNION SELECT x.subject FROM ledger_book b JOIN ledger_key k  -- by its index
        ON k.book_id = b.id AND k.key = %(id)s JOIN ledger_transaction x ON x.id = k.transaction_id
), resolved AS (
    SELECT n.subject AS reference FROM named n
    UNION SELECT p.intent_reference FROM orders_payout p WHERE p.reference = ANY (ARRAY(SELECT subject FROM named))
    UNION SELECT r.intent_reference FROM orders_return r WHERE r.reference = ANY (ARRAY(SELECT subject FROM named))
    UNION SELECT c.subject FROM orders_reviewcase c WHERE c.reference = ANY (ARRAY(SELECT subject FROM named))
    UNION SELECT i.intent_reference FROM wallets_remoteoperation o JOIN orders_payout i ON i.reference = o.owner
        WHERE o.reference = ANY (ARRAY(SELECT subject FROM named))
)
SELECT i.id FROM orders_intent i WHERE i.reference = ANY (ARRAY(SELECT reference FROM resolved)) ORDER BY i.id DESC LIMIT 50
