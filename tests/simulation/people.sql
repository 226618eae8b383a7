-- I1, I2, H1, every review's case, and no defect that a worker swallowed.
WITH orders AS MATERIALIZED (
    SELECT reference, side, state, status_reason, version, state IN ('processed', 'failed', 'compensated') AS ended
    FROM orders_order
)
SELECT 'I1' AS rule, c.key, 'a key without its answer' FROM ledger_claim c WHERE c.answer_status IS NULL AND c.anchor = ''
UNION ALL
SELECT 'I1', min(reference), format('%s orders under one key', count(*)) FROM orders_order
GROUP BY operator_id, environment, idempotency_key HAVING count(*) > 1
UNION ALL
SELECT 'I2', min(reference), 'a provider''s event is stored twice' FROM webhooks_inboundevent
GROUP BY provider_id, provider_event_id HAVING count(*) > 1
UNION ALL
SELECT 'H1', reference, format('made by %s, approved by %s', maker, coalesce(checker, 'nobody')) FROM ledger_approval
WHERE decision = 'approved' AND (checker IS NULL OR checker = maker)
UNION ALL
SELECT 'H1', c.reference, format('%s, by one person', c.resolution) FROM orders_reviewcase c
WHERE c.state = 'resolved' AND c.resolution IN ('unwind', 'settled_outside', 'compensation_settled_outside', 'give_back',
      'give_back_again', 'given_back_proven', 'keep', 'dismiss', 'settle_payout', 'release_payout')
  AND NOT EXISTS (SELECT FROM ledger_approval a WHERE a.subject = c.reference AND a.decision = 'approved')
UNION ALL
SELECT 'a case', o.reference, 'under review without an open case' FROM orders o
WHERE o.state = 'manual_review'
  AND NOT EXISTS (SELECT FROM orders_reviewcase c WHERE c.subject = o.reference AND c.state <> 'resolved')
UNION ALL
SELECT 'a case', c.reference, format('open, and its order is %s', o.state)
FROM orders_reviewcase c JOIN orders o ON o.reference = c.subject
WHERE c.state <> 'resolved' AND o.state <> 'manual_review'
UNION ALL
SELECT 'a case', q.reference, 'under review without an open case of its intent' FROM orders_payout q
WHERE q.state = 'manual_review'
  AND NOT EXISTS (SELECT FROM orders_reviewcase c WHERE c.subject = q.intent_reference AND c.state <> 'resolved')
UNION ALL
SELECT 'a case', c.reference, format('open, and the payout of its intent is %s', q.state)
FROM orders_reviewcase c JOIN orders_payout q ON q.intent_reference = c.subject
WHERE c.state <> 'resolved' AND q.state <> 'manual_review'
UNION ALL
SELECT 'defect', aggregate, last_error FROM ledger_queuedevent WHERE last_error <> ''
UNION ALL
SELECT 'defect', reference, reason FROM webhooks_inboundevent WHERE starts_with(reason, 'the handler failed')
UNION ALL
SELECT 'defect', subject, last_error FROM orders_sagarun WHERE last_error <> ''
