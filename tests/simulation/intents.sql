-- Transfers, payouts and pay-ins: one effect each, held as long as they live, counted once by their limits.
WITH postings AS MATERIALIZED (
    SELECT t.subject, t.event_type, t.key, t.id FROM ledger_transaction t
), holds AS MATERIALIZED (
    SELECT p.subject, h.state FROM ledger_hold h JOIN postings p ON p.id = h.transaction_id
), intents AS MATERIALIZED (
    SELECT reference, kind, state, usages, credit_minor, network_fee_minor FROM orders_intent
)
SELECT 'a limit' AS rule, format('counter %s', u.id) AS subject,
       format('%s is used, and its intents took %s', u.used_minor, coalesce(t.taken, 0)) AS detail
FROM wallets_limitusage u LEFT JOIN (
    SELECT (x ->> 'counter')::bigint AS counter, sum((x ->> 'amount_minor')::numeric) AS taken
    FROM intents i CROSS JOIN jsonb_array_elements(i.usages) x WHERE i.state NOT IN ('failed', 'cancelled')
    GROUP BY 1) t ON t.counter = u.id
WHERE u.used_minor <> coalesce(t.taken, 0)
UNION ALL
SELECT 'one effect', i.reference, format('%s, with %s transactions that settle it', i.state, count(p.id))
FROM intents i LEFT JOIN postings p
  ON p.subject = i.reference AND p.event_type = CASE i.kind WHEN 'payout' THEN 'PAYOUT_SETTLE' ELSE p.event_type END
WHERE i.kind = 'payout' GROUP BY i.reference, i.state
HAVING count(p.id) <> CASE WHEN i.state = 'settled' THEN 1 ELSE 0 END
UNION ALL
SELECT 'L6', i.reference, format('the intent is %s, and has %s open holds', i.state, count(h.subject))
FROM intents i LEFT JOIN holds h ON h.subject = i.reference AND h.state = 'open'
GROUP BY i.reference, i.kind, i.state
HAVING (i.kind = 'payout' OR i.state <> 'authorized')
   AND count(h.subject) <> CASE WHEN i.kind = 'payout' AND i.state IN ('authorized', 'manual_review') THEN 1 ELSE 0 END
UNION ALL
SELECT 'L6', q.reference, format('the payout is %s, its intent %s', q.state, i.state)
FROM orders_payout q JOIN intents i ON i.reference = q.intent_reference
WHERE (q.state = 'complete') <> (i.state IN ('settled', 'failed'))
   OR (q.state = 'manual_review' AND i.state <> 'manual_review')
UNION ALL
SELECT 'I2', min(reference), 'one thing of the provider''s is booked twice' FROM orders_payin
GROUP BY provider_id, provider_transaction, kind HAVING count(*) > 1
UNION ALL
SELECT 'one effect', y.reference, format('booked, with %s transactions', count(p.id))
FROM orders_payin y LEFT JOIN postings p ON p.subject = y.reference GROUP BY y.reference HAVING count(p.id) <> 1
