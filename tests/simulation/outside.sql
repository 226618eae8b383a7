-- R1 to R4, as far as our own rows can tell; the counterparty's truth is held against them beside this.
WITH orders AS MATERIALIZED (
    SELECT reference, side, state, status_reason, version, state IN ('processed', 'failed', 'compensated') AS ended
    FROM orders_order
), trades AS MATERIALIZED (
    SELECT reference, order_reference, state, hold_key FROM orders_trade
), operations AS MATERIALIZED (
    SELECT id, reference, key, owner, leg, leg_version, state, asks FROM wallets_remoteoperation
)
SELECT 'R1' AS rule, tr.reference, 'settled, and its debit is not confirmed'
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
