"""The last move's target differs from the state, a move out of a terminal state, or the counterparty contradicts us.

Any move that no machine declares counts: it went backward or overwrote a final state. The counterparty's terminal
answer is that of the order's remote operations: a debit or a giving back that the order denies, or the other way round.
"""

from reconciliation.check import Check

_QUERY = """
WITH records AS (
    SELECT o.reference, o.state, o.version, o.reference AS order_reference
    FROM close_orders(%(environment)s, %(from)s, %(to)s) o
    UNION ALL
    SELECT q.reference, q.state, q.version, q.order_reference
    FROM close_quotes(%(environment)s, %(from)s, %(to)s) q
    UNION ALL
    SELECT t.reference, t.state, t.version, t.order_reference
    FROM close_trades(%(environment)s, %(from)s, %(to)s) t
), answers AS (
    SELECT p.owner,
           bool_or(p.leg = 'debit' AND p.state = 'confirmed') AS debited,
           bool_or(p.leg = 'debit' AND p.state IN ('rejected', 'absent', 'withdrawn')) AS not_debited,
           bool_or(p.leg = 'reverse' AND p.state = 'confirmed') AS reversed,
           bool_or(p.leg = 'reverse' AND p.state IN ('rejected', 'absent', 'withdrawn')) AS not_reversed,
           bool_or(p.state IN ('rejected', 'withdrawn') AND EXISTS (
               SELECT FROM wallets_remoteattempt a WHERE a.operation_id = p.id AND a.outcome = 'confirmed')) AS both
    FROM wallets_remoteoperation p
    WHERE p.environment = %(environment)s AND p.owner IN (
        SELECT o.reference FROM close_orders(%(environment)s, %(from)s, %(to)s) o
        UNION
        SELECT r.owner FROM ledger_move m JOIN wallets_remoteoperation r ON r.reference = m.subject
        WHERE m.environment = %(environment)s AND m.machine = 'remote_operation'
          AND m.moved_at >= %(from)s AND m.moved_at < %(to)s)
    GROUP BY p.owner
), conflicts AS (
    SELECT r.reference, r.order_reference,
           'the state is ' || r.state || ', its last move went to ' || coalesce(n.to_state, m.to_state, 'nothing')
               AS reason
    FROM records r
    LEFT JOIN ledger_move m ON m.subject = r.reference AND m.sequence = r.version
    LEFT JOIN ledger_move n ON n.subject = r.reference AND n.sequence = r.version + 1
    WHERE m.to_state IS DISTINCT FROM r.state OR n.id IS NOT NULL
    UNION ALL
    SELECT m.subject, coalesce(o.reference, t.order_reference, q.order_reference, ''),
           'it moved from ' || m.from_state || ' to ' || m.to_state || ', which no ' || m.machine || ' may'
    FROM ledger_move m
    LEFT JOIN orders_order o ON o.reference = m.subject
    LEFT JOIN orders_trade t ON t.reference = m.subject
    LEFT JOIN orders_quote q ON q.reference = m.subject
    WHERE m.environment = %(environment)s AND m.machine IN ('order', 'quote', 'trade')
      AND m.moved_at >= %(from)s AND m.moved_at < %(to)s
      AND NOT EXISTS (SELECT FROM legal_move l
                      WHERE l.machine = m.machine AND l.from_state = m.from_state AND l.to_state = m.to_state)
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
        (a.not_reversed AND NOT a.reversed AND o.state = 'compensated',
         'the order was compensated, the operator says it was not given back'),
        (a.both, 'the operator both confirmed and rejected the same movement')) AS c (stands, reason)
    WHERE c.stands
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
    query=_QUERY,
    freezes=True,
)
