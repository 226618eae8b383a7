"""The last move's target differs from the state, a move out of a terminal state, or the counterparty contradicts us.

Of orders, quotes, trades, returns, intents and payouts. Any move that no machine declares counts: it went backward or
overwrote a final state. The counterparty's terminal answer is that of the order's remote operations: a debit, a giving back
or a credit that the order denies, or the other way round; of a payout its submission. A late effect that has a return of
its own is no conflict: people work it there. Neither is what two people settled with the operator outside the protocol.
"""

from reconciliation.check import Check

_QUERY = """
WITH orders AS MATERIALIZED (
    SELECT o.reference, o.state, o.version FROM close_orders(%(environment)s, %(from)s, %(to)s) o
), records AS MATERIALIZED (
    SELECT o.reference, o.state, o.version, o.reference AS order_reference FROM orders o
    UNION ALL
    SELECT q.reference, q.state, q.version, q.order_reference
    FROM close_quotes(%(environment)s, %(from)s, %(to)s) q
    UNION ALL
    SELECT t.reference, t.state, t.version, t.order_reference
    FROM close_trades(%(environment)s, %(from)s, %(to)s) t
    UNION ALL
    SELECT r.reference, r.state, r.version, coalesce(nullif(r.order_reference, ''), r.intent_reference)
    FROM close_returns(%(environment)s, %(from)s, %(to)s) r
    UNION ALL
    SELECT i.reference, i.state, i.version, i.reference FROM close_intents(%(environment)s, %(from)s, %(to)s) i
    UNION ALL
    SELECT p.reference, p.state, p.version, p.intent_reference FROM close_payouts(%(environment)s, %(from)s, %(to)s) p
), answers AS (
    SELECT p.owner,
           bool_or(p.leg = 'debit' AND p.state = 'confirmed' AND r.id IS NULL) AS debited,
           bool_or(p.leg = 'debit' AND p.state IN ('rejected', 'absent', 'withdrawn')) AS not_debited,
           bool_or(p.leg = 'reverse' AND p.state = 'confirmed' AND r.id IS NULL) AS reversed,
           bool_or(p.leg = 'reverse' AND p.state IN ('rejected', 'absent', 'withdrawn')) AS not_reversed,
           bool_or(p.leg = 'credit' AND p.state = 'confirmed' AND r.id IS NULL) AS credited,
           bool_or(p.leg = 'credit' AND p.state IN ('rejected', 'absent', 'withdrawn')) AS not_credited
    FROM wallets_remoteoperation p
    LEFT JOIN orders_return r ON r.operation_key = p.key
    WHERE p.environment = %(environment)s AND p.owner IN (
        SELECT o.reference FROM orders o
        UNION
        SELECT r.owner FROM ledger_move m JOIN wallets_remoteoperation r ON r.reference = m.subject
        WHERE m.environment = %(environment)s AND m.machine = 'remote_operation'
          AND m.moved_at >= %(from)s AND m.moved_at < %(to)s)
    GROUP BY p.owner
), conflicts AS (
    SELECT r.reference, r.order_reference, 'the state is ' || r.state || ', its last move did not go there' AS reason
    FROM records r
    WHERE NOT EXISTS (SELECT FROM ledger_move m
                      WHERE m.subject = r.reference AND m.sequence = r.version AND m.to_state = r.state
                        AND m.environment = %(environment)s AND m.moved_at >= %(from)s
                        AND m.machine IN ('order', 'quote', 'trade', 'return', 'intent', 'payout'))
    UNION ALL
    SELECT r.reference, r.order_reference,
           CASE WHEN m.sequence > r.version THEN 'it moved to ' || m.to_state || ', the state is ' || r.state
                ELSE 'it moved from ' || m.from_state || ' to ' || m.to_state || ', which no ' || m.machine || ' may' END
    FROM ledger_move m
    JOIN records r ON r.reference = m.subject
    WHERE m.environment = %(environment)s AND m.machine IN ('order', 'quote', 'trade', 'return', 'intent', 'payout')
      AND m.moved_at >= %(from)s AND m.moved_at < %(to)s
      AND (m.sequence > r.version
           OR (m.machine, m.from_state, m.to_state) NOT IN (SELECT l.machine, l.from_state, l.to_state FROM legal_move l))
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
    WHERE (p.state = 'confirmed' AND t.state IN ('failed', 'released'))
       OR (p.state IN ('rejected', 'absent', 'withdrawn') AND t.state IN ('settled', 'returned'))
    UNION ALL
    SELECT i.reference, i.reference, 'the intent ' || i.state || ', the channel says it was '
                                     || CASE p.state WHEN 'confirmed' THEN 'paid' ELSE 'rejected' END
    FROM close_intents(%(environment)s, %(from)s, %(to)s) i
    JOIN orders_payout y ON y.intent_reference = i.reference
    JOIN wallets_remoteoperation p ON p.owner = y.reference AND p.leg = 'submit'
    LEFT JOIN orders_return r ON r.operation_key = p.key
    WHERE (i.state = 'failed' AND p.state = 'confirmed' AND r.id IS NULL) OR (i.state = 'settled' AND p.state = 'rejected')
)
SELECT c.reference AS subject, c.order_reference, o.operator_id, coalesce(o.source_asset, '') AS asset,
       coalesce(o.source_minor, 0) AS amount_minor,
       jsonb_build_object('reason', string_agg(DISTINCT c.reason, '; '), 'order_id', c.order_reference,
                          'partner_order_id', o.partner_order_id, 'quote_id', o.quote_reference,
                          'record', c.reference) AS detail
FROM conflicts c LEFT JOIN orders_order o ON o.reference = c.order_reference
GROUP BY c.reference, c.order_reference, o.operator_id, o.source_asset, o.source_minor, o.partner_order_id,
         o.quote_reference
"""

CHECK = Check(
    place=9,
    name="terminal_state_conflict",
    title="Terminal state conflict",
    meaning="Product moved backward or overwrote a final state.",
    first_action="Freeze order and review state transition audit.",
    owner="ops",
    point=1,
    query=_QUERY,
    freezes=True,
)
