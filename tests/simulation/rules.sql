-- What must hold after every commit (DESIGN.md section 3): one row for each thing that breaks a rule.
WITH orders AS MATERIALIZED (
    SELECT reference, side, state, status_reason, version, state IN ('processed', 'failed', 'compensated') AS ended
    FROM orders_order
), trades AS MATERIALIZED (
    SELECT reference, order_reference, state, hold_key FROM orders_trade
), operations AS MATERIALIZED (
    SELECT id, reference, key, owner, leg, leg_version, state, asks FROM wallets_remoteoperation
), subjects AS MATERIALIZED (
    SELECT 'order' AS machine, reference, state, version, true AS tells FROM orders
    UNION ALL SELECT 'quote', reference, state, version, true FROM orders_quote
    UNION ALL SELECT 'trade', t.reference, t.state, t.version, true FROM orders_trade t
    UNION ALL SELECT 'return', reference, state, version, true FROM orders_return
    UNION ALL SELECT 'review_case', reference, state, version, true FROM orders_reviewcase
    UNION ALL SELECT 'market', reference, state, version, true FROM orders_market
    UNION ALL SELECT 'remote_operation', reference, state, version, false FROM wallets_remoteoperation
    UNION ALL SELECT 'delivery', reference, state, version, false FROM webhooks_delivery
    UNION ALL SELECT 'inbound_event', reference, state, version, false FROM webhooks_inboundevent
), moves AS MATERIALIZED (
    SELECT machine, subject, sequence, from_state, to_state,
           lag(to_state, 1, '') OVER (PARTITION BY subject ORDER BY sequence) AS state_before,
           row_number() OVER (PARTITION BY subject ORDER BY sequence) AS place,
           lead(to_state) OVER (PARTITION BY subject ORDER BY sequence) IS NULL AS is_last
    FROM ledger_move
), postings AS MATERIALIZED (
    SELECT t.subject, t.key, t.event_type, p.kind, p.debit_account_id, p.credit_account_id, p.asset, p.amount_minor,
           q.amount_minor AS ended_minor
    FROM ledger_posting p JOIN ledger_transaction t ON t.id = p.transaction_id
    LEFT JOIN ledger_posting q ON q.id = p.pending_id
), effects AS MATERIALIZED (
    SELECT p.subject, p.asset, side.account_id, side.sign,
           CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END AS posted,
           CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor ELSE -p.ended_minor END AS pending
    FROM postings p
    CROSS JOIN LATERAL (VALUES (p.debit_account_id, 1), (p.credit_account_id, -1)) AS side (account_id, sign)
), balances AS MATERIALIZED (
    SELECT * FROM ledger_balance
), standing AS MATERIALIZED (
    SELECT e.subject, a.address, e.asset, sum(e.posted * e.sign) AS posted, sum(e.pending * e.sign) AS pending
    FROM effects e JOIN ledger_account a ON a.id = e.account_id
    WHERE e.subject IN (SELECT reference FROM orders WHERE ended)
       OR e.subject IN (SELECT reference FROM orders_return WHERE state IN ('dismissed', 'given_back', 'kept'))
    GROUP BY e.subject, a.address, e.asset
)
SELECT 'L1' AS rule, asset AS subject, 'per asset the accounts do not sum to zero' AS detail
FROM balances GROUP BY book_id, asset
HAVING sum(debits_posted) <> sum(credits_posted) OR sum(debits_pending) <> sum(credits_pending)
UNION ALL
SELECT 'L3', b.address || ' ' || b.asset, 'a balance is not the fold of its postings'
FROM balances b LEFT JOIN (
    SELECT account_id, sum(posted) FILTER (WHERE sign = 1) AS dp, sum(posted) FILTER (WHERE sign = -1) AS cp,
           sum(pending) FILTER (WHERE sign = 1) AS dq, sum(pending) FILTER (WHERE sign = -1) AS cq
    FROM effects GROUP BY account_id) f ON f.account_id = b.account_id
WHERE (b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending)
   <> (coalesce(f.dp, 0), coalesce(f.cp, 0), coalesce(f.dq, 0), coalesce(f.cq, 0))
UNION ALL
SELECT 'L4', address || ' ' || asset, 'overdrawn' FROM balances
WHERE least(debits_posted, credits_posted, debits_pending, credits_pending) < 0
   OR (balance_rule = 'debits_must_not_exceed_credits' AND debits_posted + debits_pending > credits_posted)
   OR (balance_rule = 'credits_must_not_exceed_debits' AND credits_posted + credits_pending > debits_posted)
UNION ALL
SELECT 'L5', subject, format('%s keeps %s posted and %s pending of what has ended', address, posted, pending)
FROM standing WHERE (starts_with(address, 'transit:') AND posted <> 0) OR pending <> 0
UNION ALL
SELECT 'L5', s.subject, format('failed, and %s keeps %s', s.address, s.posted)
FROM standing s JOIN orders o ON o.reference = s.subject WHERE o.state = 'failed' AND s.posted <> 0
UNION ALL
SELECT 'L6', tr.reference, format('the trade is %s, its hold %s', tr.state, coalesce(h.state::text, 'nowhere'))
FROM trades tr LEFT JOIN ledger_transaction t ON t.key = tr.hold_key LEFT JOIN ledger_hold h ON h.transaction_id = t.id
WHERE h.state IS NULL OR h.state::text <> CASE tr.state WHEN 'reserved' THEN 'open' WHEN 'settled' THEN 'posted'
                                         WHEN 'returned' THEN 'posted' ELSE 'voided' END
UNION ALL
SELECT 'L6', o.reference, format('the order is %s, its trade %s', o.state, tr.state)
FROM orders o JOIN trades tr ON tr.order_reference = o.reference
WHERE (o.ended AND tr.state = 'reserved')
   OR (o.state = 'processed' AND tr.state NOT IN ('settled', 'returned'))
   OR (o.state IN ('failed', 'compensated') AND tr.state = 'settled')
UNION ALL
SELECT 'R1', tr.reference, 'settled, and its debit is not confirmed'
FROM trades tr JOIN orders o ON o.reference = tr.order_reference AND o.side = 'buy'
WHERE tr.state IN ('settled', 'returned')
  AND NOT EXISTS (SELECT FROM operations p WHERE p.owner = o.reference AND p.leg = 'debit' AND p.state = 'confirmed')
UNION ALL
SELECT 'R2', o.reference, 'compensated without a confirmed debit and a confirmed reverse'
FROM orders o WHERE o.state = 'compensated' AND o.status_reason <> 'settled_outside' AND NOT (
    EXISTS (SELECT FROM operations p WHERE p.owner = o.reference AND p.leg = 'debit' AND p.state = 'confirmed')
    AND EXISTS (SELECT FROM operations p WHERE p.owner = o.reference AND p.leg = 'reverse' AND p.state = 'confirmed'))
UNION ALL
SELECT 'R2', tr.reference, 'settled, and a reverse was asked'
FROM trades tr JOIN operations p ON p.owner = tr.order_reference AND p.leg = 'reverse' AND p.asks > 0
WHERE tr.state IN ('settled', 'returned')
UNION ALL
SELECT 'R2', p.owner, format('%s versions of its %s may have happened', count(*), p.leg)
FROM operations p WHERE p.state IN ('asked', 'unknown', 'confirmed') GROUP BY p.owner, p.leg HAVING count(*) > 1
UNION ALL
SELECT 'R3', p.key, format('%s without stored evidence of it', m.to_state)
FROM ledger_move m JOIN operations p ON p.reference = m.subject
LEFT JOIN wallets_remoteattempt a
  ON a.operation_id = p.id AND a.number = CASE WHEN m.evidence ? 'attempt' THEN (m.evidence ->> 'attempt')::int END
WHERE m.to_state IN ('confirmed', 'rejected', 'unknown', 'absent') AND m.from_state <> ''
  AND (a.number IS NULL
       OR (m.to_state IN ('confirmed', 'rejected') AND a.outcome <> m.to_state)
       OR (m.to_state = 'absent' AND (a.kind <> 'lookup' OR a.detail <> 'absent'))
       OR (m.from_state = 'unknown' AND a.kind <> 'lookup' AND NOT a.late))
UNION ALL
SELECT 'R4', p.key, 'a next version that two people did not decide on, or before the last was over'
FROM operations p WHERE p.leg_version > 1 AND NOT (
    EXISTS (SELECT FROM operations b WHERE b.owner = p.owner AND b.leg = p.leg AND b.leg_version = p.leg_version - 1
            AND b.state = 'rejected')
    AND p.leg_version - 1 <= (SELECT count(*) FROM ledger_approval a JOIN orders_reviewcase c ON c.reference = a.subject
            WHERE c.subject = p.owner AND a.decision = 'approved'
              AND a.content ->> 'resolution' IN ('compensate_again', 'credit_again', 'give_back_again')))
UNION ALL
SELECT 'R4', p.key, format('asked %s times, decided on %s times', p.asks,
                           (SELECT count(*) FROM ledger_move m WHERE m.subject = p.reference AND m.to_state = 'asked'))
FROM operations p
WHERE p.asks <> (SELECT count(*) FROM ledger_move m WHERE m.subject = p.reference AND m.to_state = 'asked')
   OR p.key <> format('%s:%s:v%s', p.owner, p.leg, p.leg_version)
UNION ALL
SELECT 'S1', m.subject, format('%s moved from "%s" to %s, it was "%s"', m.machine, m.from_state, m.to_state, m.state_before)
FROM moves m
WHERE m.state_before <> m.from_state
   OR NOT EXISTS (SELECT FROM legal_move l WHERE l.machine = m.machine AND l.from_state = m.from_state
                  AND l.to_state = m.to_state)
UNION ALL
SELECT 'S1', s.reference, format('%s is %s, its last move was to %s', s.machine, s.state, coalesce(m.to_state, 'nowhere'))
FROM subjects s LEFT JOIN moves m ON m.subject = s.reference AND m.is_last
WHERE m.to_state IS DISTINCT FROM s.state
UNION ALL
SELECT 'S2', s.reference, format('%s has version %s and %s audit rows', s.machine, s.version, coalesce(m.number, 0))
FROM subjects s LEFT JOIN (SELECT subject, count(*) AS number, max(sequence) AS last FROM moves GROUP BY subject) m
  ON m.subject = s.reference
WHERE m.number IS DISTINCT FROM s.version OR m.last IS DISTINCT FROM s.version
UNION ALL
SELECT 'S2', s.reference, format('%s has version %s and %s events', s.machine, s.version, coalesce(e.number, 0))
FROM subjects s LEFT JOIN (SELECT aggregate, count(*) AS number FROM ledger_event GROUP BY aggregate) e
  ON e.aggregate = s.reference
WHERE s.tells AND e.number IS DISTINCT FROM s.version
UNION ALL
SELECT 'I1', c.key, 'a key without its answer' FROM ledger_claim c WHERE c.answer_status IS NULL
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
      'give_back_again', 'given_back_proven', 'keep', 'dismiss')
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
SELECT 'defect', aggregate, last_error FROM ledger_queuedevent WHERE last_error <> ''
UNION ALL
SELECT 'defect', reference, reason FROM webhooks_inboundevent WHERE starts_with(reason, 'the handler failed')
UNION ALL
SELECT 'defect', subject, last_error FROM orders_sagarun WHERE last_error <> ''
