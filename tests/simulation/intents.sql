-- Transfers, payouts and pay-ins: carried out once, held as long as they live, counted once by their limits, on their day.
WITH holds AS MATERIALIZED (
    SELECT t.subject, h.state, h.expires_at - t.effective_at AS lasts
    FROM ledger_hold h JOIN ledger_transaction t ON t.id = h.transaction_id
), intents AS MATERIALIZED (
    SELECT reference, kind, state, payer, asset, amount_minor, usages, authorized_at, operator_id FROM orders_intent
), usages AS MATERIALIZED (
    SELECT i.*, u.id AS counter, x ->> 'name' AS name, (x ->> 'amount_minor')::numeric AS taken, (x ->> 'day')::date AS day,
           u.name AS counted, u.day AS counted_on, u.wallet, x ->> 'scope' AS scope, u.asset AS counted_in,
           x ->> 'counter' IS NOT NULL AS of_a_day
    FROM intents i CROSS JOIN jsonb_array_elements(i.usages) x LEFT JOIN wallets_limitusage u ON u.id = (x ->> 'counter')::bigint
)
SELECT 'a limit' AS rule, format('counter %s', u.id) AS subject,
       format('%s is used, and its intents took %s', u.used_minor, coalesce(t.taken, 0)) AS detail
FROM wallets_limitusage u LEFT JOIN (
    SELECT counter, sum(taken) AS taken FROM usages WHERE state NOT IN ('failed', 'cancelled') GROUP BY counter
) t ON t.counter = u.id
WHERE u.used_minor <> coalesce(t.taken, 0)
UNION ALL
SELECT 'a limit', s.reference, format('%s of %s on %s, taken from %s of %s', s.name, s.taken, s.day, s.counted, s.counted_on)
FROM usages s JOIN wallets_operator o ON o.id = s.operator_id
WHERE s.taken <> s.amount_minor
   OR (s.of_a_day AND (s.counted, s.counted_in, s.counted_on, s.day, s.wallet)
       IS DISTINCT FROM (s.name, s.asset, s.day, (s.authorized_at AT TIME ZONE o.zone)::date,
                         CASE s.scope WHEN 'wallet' THEN s.payer ELSE '' END))
UNION ALL
SELECT 'a limit', i.reference, format('%s, and it took from %s limits', i.state, jsonb_array_length(i.usages))
FROM intents i WHERE (i.authorized_at IS NOT NULL) <> (jsonb_array_length(i.usages) > 0)
   OR (i.authorized_at IS NOT NULL AND jsonb_array_length(i.usages) <> (SELECT count(*) FROM wallets_limitrule WHERE state = 'active'))
UNION ALL
SELECT 'I1', request_id, format('carried out %s times', count(DISTINCT created_at)) FROM orders_intent
WHERE request_id <> '' GROUP BY request_id HAVING count(DISTINCT created_at) > 1
UNION ALL
SELECT 'L6', i.reference, format('the hold of a %s lasts %s', i.kind, coalesce(h.lasts::text, 'for ever'))
FROM intents i JOIN holds h ON h.subject = i.reference
WHERE h.lasts IS DISTINCT FROM CASE i.kind WHEN 'transfer' THEN interval '300 seconds' END
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
