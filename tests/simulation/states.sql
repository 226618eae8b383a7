-- S1 and S2: only declared moves happen, each with its audit row, and its event where its machine tells of it.
WITH orders AS MATERIALIZED (
    SELECT reference, side, state, status_reason, version, state IN ('processed', 'failed', 'compensated') AS ended
    FROM orders_order
), subjects AS MATERIALIZED (
    SELECT 'order' AS machine, reference, state, version, true AS tells FROM orders
    UNION ALL SELECT 'quote', reference, state, version, true FROM orders_quote
    UNION ALL SELECT 'trade', t.reference, t.state, t.version, true FROM orders_trade t
    UNION ALL SELECT 'return', reference, state, version, true FROM orders_return
    UNION ALL SELECT 'review_case', reference, state, version, true FROM orders_reviewcase
    UNION ALL SELECT 'market', reference, state, version, true FROM orders_market
    UNION ALL SELECT 'intent', reference, state, version, true FROM orders_intent
    UNION ALL SELECT 'payout', reference, state, version, true FROM orders_payout
    UNION ALL SELECT 'pay_in', reference, state, version, true FROM orders_payin
    UNION ALL SELECT 'remote_operation', reference, state, version, false FROM wallets_remoteoperation
    UNION ALL SELECT 'delivery', reference, state, version, false FROM webhooks_delivery
    UNION ALL SELECT 'inbound_event', reference, state, version, false FROM webhooks_inboundevent
), moves AS MATERIALIZED (
    SELECT machine, subject, sequence, from_state, to_state,
           lag(to_state, 1, '') OVER (PARTITION BY subject ORDER BY sequence) AS state_before,
           row_number() OVER (PARTITION BY subject ORDER BY sequence) AS place,
           lead(to_state) OVER (PARTITION BY subject ORDER BY sequence) IS NULL AS is_last
    FROM ledger_move
)
SELECT 'S1' AS rule, m.subject, format('%s moved from "%s" to %s, it was "%s"', m.machine, m.from_state, m.to_state, m.state_before)
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
