"""A trade's or leg's postings missing, or of another asset or amount than its terms.

A trade: each named amount of its terms is one line of its reservation, of its settlement once it is settled, of its
release once it is released or failed. A leg: what the wallet was debited, and what it was given back; what it was
credited; of a sell that was unwound each line of its trade turned round, where any is (else: returned trade without
adjustment). A return: what it adjusted, gave back or kept; of a trade taken back the totals per asset, since a receivable
may share a line; of a late execution what the venue gave and took. A transfer or payout: its debit, its fee and its
VAT, or nothing left standing. A pay-in: the gross that its provider moved, its fee and its VAT.
What should stand in the books is what the moves say happened; lines are joined by ids (order, trade), amounts compared
exactly.

The last move of a record of the window cannot lie before it: that keeps the join with the moves as small as the window.
It is an outer join, since the planner takes an inner one on (subject, sequence) for a handful of rows and then loops; a
record without its last move is a terminal state conflict, not this.
"""

from reconciliation.check import Check

_QUERY = """
WITH booked_now AS (
    SELECT w.id,
           string_agg(x.event_type || ' ' || p.kind || ' ' || p.asset || ' ' || p.amount_minor, E'\n'
                      ORDER BY x.event_type COLLATE "C", p.asset COLLATE "C", p.amount_minor) AS lines
    FROM close_trades(%(environment)s, %(from)s, %(to)s) w
    JOIN ledger_transaction x ON x.subject = w.order_reference AND x.book_id = %(book)s
        AND x.event_type IN ('TRADE_RESERVE', 'TRADE_SETTLE', 'ORDER_REDEMPTION', 'TRADE_RELEASE')
        AND CASE WHEN x.refs ->> 'trade' = w.reference THEN true ELSE false END
    JOIN ledger_posting p ON p.transaction_id = x.id
    GROUP BY w.id
), every_suspect_trade AS MATERIALIZED (
    SELECT t.id
    FROM close_trades(%(environment)s, %(from)s, %(to)s) t
    LEFT JOIN booked_now b ON b.id = t.id
    CROSS JOIN LATERAL (SELECT CASE
        WHEN t.state IN ('settled', 'returned') THEN coalesce(t.terms ->> 'settled_by', 'TRADE_SETTLE') || ' post '
        WHEN t.state IN ('released', 'failed') THEN 'TRADE_RELEASE void ' END AS phase) ending
    CROSS JOIN LATERAL (
        SELECT string_agg('TRADE_RESERVE pending ' || a.line, E'\n' ORDER BY a.asset COLLATE "C", a.minor) AS reserve,
               string_agg(ending.phase || a.line, E'\n' ORDER BY a.asset COLLATE "C", a.minor) AS ending
        FROM (SELECT value ->> 'asset' AS asset, (value ->> 'minor')::numeric AS minor,
                     (value ->> 'asset') || ' ' || (value ->> 'minor') AS line
              FROM jsonb_each(t.terms -> 'amounts')) a
        WHERE a.minor <> 0) due
    WHERE b.lines IS DISTINCT FROM CASE
        WHEN ending.phase < 'TRADE_RESERVE' COLLATE "C" THEN concat_ws(E'\n', due.ending, due.reserve)
        ELSE concat_ws(E'\n', due.reserve, due.ending) END
), suspect_trades AS (
    SELECT * FROM every_suspect_trade LIMIT 10001
), legs_now AS (
    SELECT w.id,
           string_agg(x.event_type || ' ' || p.asset || ' ' || p.amount_minor, E'\n'
                      ORDER BY x.event_type COLLATE "C" DESC, p.asset COLLATE "C", p.amount_minor) AS lines
    FROM close_orders(%(environment)s, %(from)s, %(to)s) w
    JOIN ledger_transaction x ON x.subject = w.reference AND x.book_id = %(book)s
        AND x.event_type IN ('ORDER_DEBIT_CONFIRMED', 'ORDER_COMPENSATION', 'ORDER_CREDIT_CONFIRMED', 'ORDER_REVERSAL')
    JOIN ledger_posting p ON p.transaction_id = x.id
    GROUP BY w.id
), every_suspect_order AS MATERIALIZED (
    SELECT o.id
    FROM close_orders(%(environment)s, %(from)s, %(to)s) o
    LEFT JOIN legs_now b ON b.id = o.id
    WHERE b.lines IS DISTINCT FROM nullif(concat_ws(E'\n',
        CASE WHEN o.side = 'buy' AND o.state IN ('operator_debited', 'processed', 'compensation_pending', 'compensated')
             THEN 'ORDER_DEBIT_CONFIRMED ' || o.source_asset || ' ' || o.source_minor END,
        CASE WHEN o.side = 'buy' AND o.state = 'compensated'
             THEN 'ORDER_COMPENSATION ' || o.source_asset || ' ' || o.source_minor END,
        CASE WHEN o.side <> 'buy' AND o.state = 'processed'
             THEN 'ORDER_CREDIT_CONFIRMED ' || o.target_asset || ' ' || o.target_minor END), '')
       OR o.state = 'manual_review'
), suspect_orders AS (
    SELECT * FROM every_suspect_order LIMIT 10001
), trades AS (
    SELECT t.reference, t.order_reference, t.quote_reference, t.operator_id, t.terms, m.to_state,
           CASE WHEN m.to_state IN ('settled', 'returned')
                THEN coalesce(t.terms ->> 'settled_by', 'TRADE_SETTLE') || ' post '
                WHEN m.to_state IN ('released', 'failed') THEN 'TRADE_RELEASE void ' END AS ending
    FROM suspect_trades s JOIN orders_trade t ON t.id = s.id
    LEFT JOIN ledger_move m ON m.subject = t.reference AND m.sequence = t.version AND m.environment = %(environment)s
        AND m.machine = 'trade' AND m.moved_at >= %(from)s
), booked_trades AS (
    SELECT t.reference,
           string_agg(x.event_type || ' ' || p.kind || ' ' || p.asset || ' ' || p.amount_minor, E'\n'
                      ORDER BY x.event_type COLLATE "C", p.kind COLLATE "C", p.asset COLLATE "C", p.amount_minor
           ) AS lines
    FROM trades t
    JOIN ledger_transaction x ON x.subject = t.order_reference AND x.refs ->> 'trade' = t.reference
        AND x.event_type IN ('TRADE_RESERVE', 'TRADE_SETTLE', 'ORDER_REDEMPTION', 'TRADE_RELEASE') AND x.book_id = %(book)s
    JOIN ledger_posting p ON p.transaction_id = x.id
    GROUP BY t.reference
), compared_trades AS (
    SELECT t.*, b.lines AS booked, (
        SELECT string_agg(s.phase || a.asset || ' ' || a.minor, E'\n'
                          ORDER BY s.phase COLLATE "C", a.asset COLLATE "C", a.minor)
        FROM (SELECT value ->> 'asset' AS asset, (value ->> 'minor')::numeric AS minor
              FROM jsonb_each(t.terms -> 'amounts')) a
        CROSS JOIN (VALUES ('TRADE_RESERVE pending '), (t.ending)) AS s (phase)
        WHERE a.minor <> 0 AND s.phase IS NOT NULL) AS due
    FROM trades t LEFT JOIN booked_trades b ON b.reference = t.reference
), orders AS (
    SELECT o.*, CASE o.side WHEN 'buy' THEN o.source_asset ELSE o.target_asset END AS wallet_asset,
           CASE o.side WHEN 'buy' THEN o.source_minor ELSE o.target_minor END AS wallet_minor,
           o.side = 'buy' AND (m.to_state IN ('operator_debited', 'processed', 'compensation_pending', 'compensated')
                OR (m.to_state = 'manual_review' AND EXISTS (
                    SELECT FROM ledger_move d WHERE d.subject = o.reference
                    AND d.to_state IN ('operator_debited', 'compensation_pending')))) AS debited,
           m.to_state = 'compensated' AS given_back,
           o.side <> 'buy' AND m.to_state = 'processed' AS credited,
           o.side <> 'buy' AND m.to_state = 'failed' AS failed_to_pay
    FROM suspect_orders s JOIN orders_order o ON o.id = s.id
    LEFT JOIN ledger_move m ON m.subject = o.reference AND m.sequence = o.version AND m.environment = %(environment)s
        AND m.machine = 'order' AND m.moved_at >= %(from)s
), booked_legs AS (
    SELECT o.reference,
           string_agg(x.event_type || ' ' || p.asset || ' ' || p.amount_minor, E'\n'
                      ORDER BY x.event_type COLLATE "C" DESC, p.asset COLLATE "C", p.amount_minor) AS lines
    FROM orders o
    JOIN ledger_transaction x ON x.subject = o.reference
        AND x.event_type IN ('ORDER_DEBIT_CONFIRMED', 'ORDER_COMPENSATION', 'ORDER_CREDIT_CONFIRMED',
                             'ORDER_REVERSAL') AND x.book_id = %(book)s
    JOIN ledger_posting p ON p.transaction_id = x.id
    GROUP BY o.reference
), compared_legs AS (
    SELECT o.*, b.lines AS booked,
           concat_ws(E'\n',
               CASE WHEN o.debited THEN 'ORDER_DEBIT_CONFIRMED ' || o.wallet_asset || ' ' || o.wallet_minor END,
               CASE WHEN o.given_back THEN 'ORDER_COMPENSATION ' || o.wallet_asset || ' ' || o.wallet_minor END,
               CASE WHEN o.credited THEN 'ORDER_CREDIT_CONFIRMED ' || o.wallet_asset || ' ' || o.wallet_minor END,
               CASE WHEN o.failed_to_pay AND b.lines LIKE '%%ORDER_REVERSAL%%' THEN (
                   SELECT string_agg('ORDER_REVERSAL ' || a.asset || ' ' || a.minor, E'\n'
                                     ORDER BY a.asset COLLATE "C", a.minor)
                   FROM orders_trade t
                   JOIN ledger_move m ON m.subject = t.reference AND m.sequence = t.version AND m.to_state = 'returned'
                       AND m.environment = %(environment)s AND m.machine = 'trade'
                   CROSS JOIN LATERAL (SELECT value ->> 'asset' AS asset, (value ->> 'minor')::numeric AS minor
                                       FROM jsonb_each(t.terms -> 'amounts')) a
                   WHERE t.order_reference = o.reference AND a.minor <> 0) END) AS due
    FROM orders o LEFT JOIN booked_legs b ON b.reference = o.reference
), returns AS (
    SELECT r.*, CASE r.kind WHEN 'trade_returned' THEN 'TRADE_RETURN' WHEN 'payout_returned' THEN 'PAYOUT_RETURN'
                ELSE 'LATE_EFFECT' END AS adjusted_by,
           CASE r.state WHEN 'given_back' THEN 'RETURN_GIVEN_BACK' WHEN 'kept' THEN 'RETURN_KEPT' END AS ended_by
    FROM close_returns(%(environment)s, %(from)s, %(to)s) r
    WHERE r.state IN ('adjusted', 'given_back', 'kept') AND r.leg IN ('debit', 'credit', 'reverse', 'submit', 'execute')
), due_returns AS (
    SELECT r.reference, r.adjusted_by || ' ' || a.asset || ' ' || sum(a.minor) AS line
    FROM returns r
    CROSS JOIN LATERAL (
        SELECT r.asset, r.amount_minor AS minor WHERE r.kind <> 'trade_returned' AND r.leg <> 'execute'
        UNION ALL
        SELECT value ->> 'asset', (value ->> 'minor')::numeric FROM orders_trade t, jsonb_each(t.terms -> 'amounts')
        WHERE r.kind = 'trade_returned' AND t.reference = r.trade_reference
        UNION ALL
        SELECT value ->> 'asset', (value ->> 'minor')::numeric FROM jsonb_each(r.terms -> 'amounts')
        WHERE r.leg = 'execute') a
    WHERE a.minor <> 0 GROUP BY r.reference, r.adjusted_by, a.asset
    UNION ALL
    SELECT r.reference, r.ended_by || ' ' || r.asset || ' ' || r.amount_minor FROM returns r
    WHERE r.ended_by IS NOT NULL AND r.leg <> 'execute'
    UNION ALL
    SELECT r.reference, r.ended_by || ' ' || (a.value ->> 'asset') || ' ' || sum((a.value ->> 'minor')::numeric)
    FROM returns r CROSS JOIN LATERAL jsonb_each(r.terms -> 'amounts') AS a
    WHERE r.ended_by IS NOT NULL AND r.leg = 'execute' AND a.value ->> 'minor' <> '0'
    GROUP BY r.reference, r.ended_by, a.value ->> 'asset'
), booked_returns AS (
    SELECT x.subject AS reference, x.event_type || ' ' || p.asset || ' ' || sum(p.amount_minor) AS line
    FROM returns r
    JOIN ledger_transaction x ON x.subject = r.reference AND x.book_id = %(book)s
    JOIN ledger_posting p ON p.transaction_id = x.id
    GROUP BY x.subject, x.event_type, p.asset
), compared_returns AS (
    SELECT r.*, (SELECT array_agg(d.line ORDER BY d.line COLLATE "C") FROM due_returns d
                 WHERE d.reference = r.reference) AS due,
           (SELECT array_agg(b.line ORDER BY b.line COLLATE "C") FROM booked_returns b
            WHERE b.reference = r.reference) AS booked
    FROM returns r
), intents AS (
    SELECT i.*, i.state = 'settled' AS stands
    FROM close_intents(%(environment)s, %(from)s, %(to)s) i
    WHERE i.state = 'settled' OR (i.state = 'failed' AND i.authorized_at IS NOT NULL)
), paid AS (
    SELECT i.reference, sum(p.amount_minor) FILTER (WHERE d.workflow_view <> 'in_flight') AS minor,
           string_agg(DISTINCT p.asset, ' ') AS asset,
           coalesce(sum(p.amount_minor) FILTER (WHERE c.account_class = 'income'), 0) AS fee,
           coalesce(sum(p.amount_minor) FILTER (WHERE c.workflow_view = 'taxes'), 0) AS vat
    FROM intents i
    JOIN ledger_transaction x ON x.subject = i.reference AND x.book_id = %(book)s
        AND x.event_type IN ('TRANSFER_SETTLE', 'PAYOUT_SETTLE')
    JOIN ledger_posting p ON p.transaction_id = x.id AND p.kind IN ('posted', 'post')
    JOIN ledger_account d ON d.id = p.debit_account_id
    JOIN ledger_account c ON c.id = p.credit_account_id
    GROUP BY i.reference
)
SELECT c.reference AS subject, c.order_reference, c.operator_id, coalesce(o.source_asset, '') AS asset,
       coalesce(o.source_minor, 0) AS amount_minor,
       jsonb_build_object('reason', CASE WHEN c.booked IS NULL THEN 'postings missing'
                                         ELSE 'postings differ from the terms' END,
                          'transact_id', c.reference, 'status', c.to_state, 'order_id', c.order_reference,
                          'quote_id', c.quote_reference, 'due', string_to_array(c.due, E'\n'),
                          'booked', string_to_array(c.booked, E'\n')) AS detail
FROM compared_trades c LEFT JOIN orders_order o ON o.reference = c.order_reference
WHERE CASE WHEN c.to_state IS NULL THEN false ELSE c.booked IS DISTINCT FROM c.due END
UNION ALL
SELECT c.reference, c.reference, c.operator_id, c.wallet_asset, c.wallet_minor,
       jsonb_build_object('reason', CASE WHEN c.booked IS NULL THEN 'the leg''s posting is missing'
                                         ELSE 'the leg''s postings differ from the order' END,
                          'order_id', c.reference, 'partner_order_id', c.partner_order_id,
                          'quote_id', c.quote_reference, 'due', string_to_array(c.due, E'\n'),
                          'booked', string_to_array(c.booked, E'\n'))
FROM compared_legs c
WHERE CASE WHEN c.due = '' THEN false ELSE c.booked IS DISTINCT FROM c.due END
UNION ALL
SELECT c.reference, coalesce(nullif(c.order_reference, ''), c.intent_reference), c.operator_id, c.asset, c.amount_minor,
       jsonb_build_object('reason', 'the return''s postings differ from its terms', 'return_id', c.reference,
                          'order_id', c.order_reference, 'partner_order_id', c.partner_order_id,
                          'transact_id', c.terms ->> 'trade', 'due', c.due, 'booked', c.booked)
FROM compared_returns c
WHERE CASE WHEN c.kind = 'trade_returned' AND c.booked IS NULL THEN false ELSE c.booked IS DISTINCT FROM c.due END
UNION ALL
SELECT i.reference, i.reference, i.operator_id, i.asset, i.amount_minor,
       jsonb_build_object('reason', CASE WHEN NOT i.stands THEN 'it failed, and was paid'
                                         WHEN (p.minor, p.asset) IS DISTINCT FROM (i.debit_minor, i.asset::text)
                                         THEN 'what was taken from the payer differs from the intent'
                                         ELSE 'fee or VAT differ from the intent' END,
                          'intent_id', i.reference, 'partner_reference', i.partner_reference, 'status', i.state,
                          'due', CASE WHEN i.stands THEN i.debit_minor ELSE 0 END, 'booked', p.minor,
                          'fee_and_vat_due', ARRAY[i.fee_minor, i.vat_minor], 'fee_and_vat_booked', ARRAY[p.fee, p.vat])
FROM intents i LEFT JOIN paid p ON p.reference = i.reference
WHERE CASE WHEN i.stands THEN (p.minor, p.asset, p.fee, p.vat)
                              IS DISTINCT FROM (i.debit_minor, i.asset::text, i.fee_minor, i.vat_minor)
           ELSE p.minor IS NOT NULL END
UNION ALL
SELECT y.reference, y.reference, y.operator_id, y.asset, y.gross_minor,
       jsonb_build_object('reason', CASE WHEN b.minor IS NULL THEN 'postings missing'
                                         ELSE 'postings differ from what the provider moved' END,
                          'pay_in_id', y.reference, 'event_id', y.inbound_event, 'kind', y.kind, 'due', d.minor,
                          'booked', b.minor, 'fee_and_vat_due', ARRAY[y.fee_minor, y.vat_minor],
                          'fee_and_vat_booked', ARRAY[b.fee, b.vat])
FROM orders_payin y
CROSS JOIN LATERAL (SELECT y.gross_minor + CASE y.kind WHEN 'collected' THEN 0 ELSE y.fee_minor + y.vat_minor END AS minor) d
LEFT JOIN LATERAL (
    SELECT sum(p.amount_minor) AS minor, string_agg(DISTINCT p.asset, ' ') AS asset,
           coalesce(sum(p.amount_minor) FILTER (WHERE c.account_class = 'income'), 0) AS fee,
           coalesce(sum(p.amount_minor) FILTER (WHERE c.workflow_view = 'taxes'), 0) AS vat
    FROM ledger_transaction x JOIN ledger_posting p ON p.transaction_id = x.id
    JOIN ledger_account c ON c.id = p.credit_account_id
    WHERE x.subject = y.reference AND x.book_id = %(book)s AND x.event_type LIKE 'PAYIN%%') b ON true
WHERE y.environment = %(environment)s AND y.created_at >= %(from)s AND y.created_at < %(to)s
  AND (b.minor, b.asset, b.fee, b.vat) IS DISTINCT FROM (d.minor, y.asset::text, y.fee_minor, y.vat_minor)
"""

CHECK = Check(
    place=6,
    name="ledger_mismatch",
    title="Ledger mismatch",
    meaning="Balance movement does not match expected trade state.",
    first_action="Compare ledger ref, quote id, trade id, and amount strings.",
    owner="finance",
    point=3,
    follows=("webhook_without_ledger_row",),
    suspects=(("every_suspect_trade", 10_000), ("every_suspect_order", 10_000)),
    query=_QUERY,
)
