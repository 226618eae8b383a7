"""The last move's target differs from the state, a move out of a terminal state, or the counterparty contradicts us.

Of orders, quotes, trades, returns, intents and payouts. Any move that no machine declares counts: it went backward or
overwrote a final state. The counterparty's terminal answer is that of the order's remote operations: a debit, a giving back
or a credit that the order denies, or the other way round; of a payout its submission. A late effect that has a return of
its own is no conflict: people work it there. Neither is what two people settled with the operator outside the protocol.
"""

from reconciliation.check import Check

_QUERY = """
WITH astray AS (
    -- of each record its last move and any beyond it: exactly one is there, and it went where the record is
    SELECT o.reference, o.reference AS order_reference, o.state, o.version, m.sequence, m.to_state
    FROM close_orders(%(environment)s, %(from)s, %(to)s) o
    LEFT JOIN ledger_move m ON m.subject = o.reference AND m.sequence >= o.version AND m.machine = 'order'
        AND m.environment = %(environment)s AND m.moved_at >= %(from)s
    WHERE (m.sequence = o.version AND m.to_state = o.state) IS NOT TRUE
    UNION ALL
    SELECT q.reference, q.order_reference, q.state, q.version, m.sequence, m.to_state
    FROM close_quotes(%(environment)s, %(from)s, %(to)s) q
    LEFT JOIN ledger_move m ON m.subject = q.reference AND m.sequence >= q.version AND m.machine = 'quote'
        AND m.environment = %(environment)s AND m.moved_at >= %(from)s
    WHERE (m.sequence = q.version AND m.to_state = q.state) IS NOT TRUE
    UNION ALL
    SELECT t.reference, t.order_reference, t.state, t.version, m.sequence, m.to_state
    FROM close_trades(%(environment)s, %(from)s, %(to)s) t
    LEFT JOIN ledger_move m ON m.subject = t.reference AND m.sequence >= t.version AND m.machine = 'trade'
        AND m.environment = %(environment)s AND m.moved_at >= %(from)s
    WHERE (m.sequence = t.version AND m.to_state = t.state) IS NOT TRUE
    UNION ALL
    SELECT r.reference, coalesce(nullif(r.order_reference, ''), r.intent_reference), r.state, r.version, m.sequence, m.to_state
    FROM close_returns(%(environment)s, %(from)s, %(to)s) r
    LEFT JOIN ledger_move m ON m.subject = r.reference AND m.sequence >= r.version AND m.machine = 'return'
        AND m.environment = %(environment)s AND m.moved_at >= %(from)s
    WHERE (m.sequence = r.version AND m.to_state = r.state) IS NOT TRUE
    UNION ALL
    SELECT i.reference, i.reference, i.state, i.version, m.sequence, m.to_state
    FROM close_intents(%(environment)s, %(from)s, %(to)s) i
    LEFT JOIN ledger_move m ON m.subject = i.reference AND m.sequence >= i.version AND m.machine = 'intent'
        AND m.environment = %(environment)s AND m.moved_at >= %(from)s
    WHERE (m.sequence = i.version AND m.to_state = i.state) IS NOT TRUE
    UNION ALL
    SELECT p.reference, p.intent_reference, p.state, p.version, m.sequence, m.to_state
    FROM close_payouts(%(environment)s, %(from)s, %(to)s) p
    LEFT JOIN ledger_move m ON m.subject = p.reference AND m.sequence >= p.version AND m.machine = 'payout'
        AND m.environment = %(environment)s AND m.moved_at >= %(from)s
    WHERE (m.sequence = p.version AND m.to_state = p.state) IS NOT TRUE
), every_illegal_move AS MATERIALIZED (
    SELECT m.id FROM ledger_move m
    WHERE m.environment = %(environment)s AND m.machine IN ('order', 'quote', 'trade', 'return', 'intent', 'payout')
      AND m.moved_at >= %(from)s AND m.moved_at < %(to)s
      AND NOT EXISTS (SELECT FROM legal_move l
                      WHERE l.machine = m.machine AND l.from_state = m.from_state AND l.to_state = m.to_state)
), illegal_moves AS (
    SELECT * FROM every_illegal_move LIMIT 10001
), records AS (
    SELECT o.reference, o.reference AS order_reference
    FROM illegal_moves x JOIN ledger_move m ON m.id = x.id JOIN orders_order o ON o.reference = m.subject
    UNION
    SELECT q.reference, q.order_reference
    FROM illegal_moves x JOIN ledger_move m ON m.id = x.id JOIN orders_quote q ON q.reference = m.subject
    UNION
    SELECT t.reference, t.order_reference
    FROM illegal_moves x JOIN ledger_move m ON m.id = x.id JOIN orders_trade t ON t.reference = m.subject
    UNION
    SELECT r.reference, coalesce(nullif(r.order_reference, ''), r.intent_reference)
    FROM illegal_moves x JOIN ledger_move m ON m.id = x.id JOIN orders_return r ON r.reference = m.subject
    UNION
    SELECT i.reference, i.reference
    FROM illegal_moves x JOIN ledger_move m ON m.id = x.id JOIN orders_intent i ON i.reference = m.subject
    UNION
    SELECT p.reference, p.intent_reference
    FROM illegal_moves x JOIN ledger_move m ON m.id = x.id JOIN orders_payout p ON p.reference = m.subject
), contradicted AS MATERIALIZED (
    -- one answer against the order; whether another speaks for it is asked of these alone
    SELECT o.reference FROM close_orders(%(environment)s, %(from)s, %(to)s) o
    JOIN wallets_remoteoperation p ON p.owner = o.reference AND p.environment = %(environment)s
    WHERE (p.state = 'confirmed' AND (
               (p.leg IN ('debit', 'credit') AND o.state = 'failed')
               OR (p.leg = 'reverse' AND o.state IN ('processed', 'failed'))))
       OR (p.state IN ('rejected', 'absent', 'withdrawn') AND (
               (p.leg = 'debit' AND o.state IN ('operator_debited', 'processed', 'compensation_pending', 'compensated'))
               OR (p.leg = 'reverse' AND o.state = 'compensated') OR (p.leg = 'credit' AND o.state = 'processed')))
    UNION
    SELECT p.owner FROM ledger_move m JOIN wallets_remoteoperation p ON p.reference = m.subject
    JOIN orders_order o ON o.reference = p.owner
    WHERE m.environment = %(environment)s AND m.machine = 'remote_operation'
      AND m.moved_at >= %(from)s AND m.moved_at < %(to)s
      AND ((p.state = 'confirmed') = (o.state = 'failed') OR p.leg = 'reverse')
), answers AS (
    SELECT p.owner,
           bool_or(p.leg = 'debit' AND p.state = 'confirmed' AND r.id IS NULL) AS debited,
           bool_or(p.leg = 'debit' AND p.state IN ('rejected', 'absent', 'withdrawn')) AS not_debited,
           bool_or(p.leg = 'reverse' AND p.state = 'confirmed' AND r.id IS NULL) AS reversed,
           bool_or(p.leg = 'reverse' AND p.state IN ('rejected', 'absent', 'withdrawn')) AS not_reversed,
           bool_or(p.leg = 'credit' AND p.state = 'confirmed' AND r.id IS NULL) AS credited,
           bool_or(p.leg = 'credit' AND p.state IN ('rejected', 'absent', 'withdrawn')) AS not_credited
    FROM contradicted c
    JOIN wallets_remoteoperation p ON p.owner = c.reference AND p.environment = %(environment)s
    LEFT JOIN orders_return r ON r.operation_key = p.key
    GROUP BY p.owner
), conflicts AS (
    SELECT a.reference, a.order_reference,
           CASE WHEN a.sequence > a.version THEN 'it moved to ' || a.to_state || ', the state is ' || a.state
                ELSE 'the state is ' || a.state || ', its last move did not go there' END AS reason
    FROM astray a
    UNION ALL
    SELECT r.reference, r.order_reference,
           'it moved from ' || m.from_state || ' to ' || m.to_state || ', which no ' || m.machine || ' may'
    FROM illegal_moves x
    JOIN ledger_move m ON m.id = x.id
    JOIN records r ON r.reference = m.subject
    UNION ALL
    SELECT o.reference, o.reference, c.reason
    FROM answers a
    JOIN orders_order o ON o.reference = a.owner
    CROSS JOIN LATERAL (VALUES
        (a.debited AND o.state = 'failed', 'the order failed, the operator says it was debited'),
        (a.not_debited AND NOT a.debited
         AND o.state IN ('operator_debited', 'processed', 'compensation_pending', 'compensated'),
         'the order says it was debited, the operator says it was not'),
        (a.reversed AND o.state IN ('processed', 'failed'),
         'the order ' || o.state || ', the operator says it was given back'),
        (a.credited AND o.state = 'failed', 'the order failed, the operator says it was credited'),
        (a.not_credited AND NOT a.credited AND o.status_reason <> 'settled_outside' AND o.state = 'processed',
         'the order says it was credited, the operator says it was not'),
        (a.not_reversed AND NOT a.reversed AND o.status_reason <> 'settled_outside' AND o.state = 'compensated',
         'the order was compensated, the operator says it was not given back')) AS c (stands, reason)
    WHERE c.stands
    UNION ALL
    SELECT t.reference, t.order_reference,
           'the trade is ' || t.state || ', its venue says that it was ' ||
           CASE p.state WHEN 'confirmed' THEN 'executed' ELSE 'not' END
    FROM close_trades(%(environment)s, %(from)s, %(to)s) t
    JOIN wallets_remoteoperation p ON p.owner = t.reference AND p.leg = 'execute' AND p.environment = %(environment)s
    LEFT JOIN orders_return r ON r.operation_key = p.key
    WHERE (p.state = 'confirmed' AND t.state IN ('failed', 'released') AND r.id IS NULL)
       OR (p.state IN ('rejected', 'absent', 'withdrawn') AND t.state IN ('settled', 'returned'))
    UNION ALL
    SELECT i.reference, i.reference, 'the intent ' || i.state || ', the channel says it was '
                                     || CASE p.state WHEN 'confirmed' THEN 'paid' ELSE 'not' END
    FROM close_intents(%(environment)s, %(from)s, %(to)s) i
    JOIN orders_payout y ON y.intent_reference = i.reference
    JOIN wallets_remoteoperation p ON p.owner = y.reference AND p.leg = 'submit'
    LEFT JOIN orders_return r ON r.operation_key = p.key
    WHERE (i.state = 'failed' AND p.state = 'confirmed' AND r.id IS NULL)
       OR (i.state = 'settled' AND p.state IN ('rejected', 'absent', 'withdrawn'))
)
SELECT c.reference AS subject, c.order_reference, coalesce(o.operator_id, i.operator_id) AS operator_id,
       coalesce(o.source_asset, i.asset, '') AS asset, coalesce(o.source_minor, i.amount_minor, 0) AS amount_minor,
       jsonb_build_object('reason', string_agg(DISTINCT c.reason, '; '), 'order_id', c.order_reference,
                          'partner_order_id', coalesce(o.partner_order_id, i.partner_reference),
                          'quote_id', o.quote_reference, 'record', c.reference) AS detail
FROM conflicts c
LEFT JOIN orders_order o ON o.reference = c.order_reference
LEFT JOIN orders_intent i ON i.reference = c.order_reference
GROUP BY c.reference, c.order_reference, o.id, i.id
"""

CHECK = Check(
    place=9,
    name="terminal_state_conflict",
    title="Terminal state conflict",
    meaning="Product moved backward or overwrote a final state.",
    first_action="Freeze order and review state transition audit.",
    owner="ops",
    point=1,
    suspects=(("every_illegal_move", 10_000),),
    query=_QUERY,
    freezes=True,
)
