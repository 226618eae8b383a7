-- What each payment did: the transactions that its state calls for, each line to the minor unit, and its wallets' history.
WITH wallets AS MATERIALIZED (
    SELECT reference, format('%ss:%s:available', kind, reference) AS address FROM wallets_wallet
), intents AS MATERIALIZED (
    SELECT i.reference, i.kind, i.state, i.asset, i.payer, i.payee, p.address AS payer_address, q.address AS payee_address,
           'bank:' || i.channel AS bank, i.scheduled_for IS NOT NULL AS waited, i.authorized_at IS NOT NULL AS held,
           i.debit_minor, i.credit_minor, i.fee_minor, i.vat_minor, i.network_fee_minor
    FROM orders_intent i JOIN wallets p ON p.reference = i.payer LEFT JOIN wallets q ON q.reference = i.payee
), pay_ins AS MATERIALIZED (
    SELECT y.reference, y.kind, y.wallet, w.address, y.asset, 'bank:' || y.provider_code AS bank, y.gross_minor, y.fee_minor, y.vat_minor
    FROM orders_payin y JOIN wallets w ON w.reference = y.wallet
), returns AS MATERIALIZED (
    SELECT r.reference, r.kind, i.payer, i.payer_address, i.bank, r.asset, r.amount_minor
    FROM orders_return r JOIN intents i ON i.reference = r.intent_reference WHERE r.state = 'adjusted'
), due AS MATERIALIZED (
    SELECT reference AS subject, CASE kind WHEN 'payout' THEN 'PAYOUT_RESERVE' ELSE 'TRANSFER_HOLD' END AS event_type,
           'reserve' AS phase FROM intents WHERE held
    UNION ALL SELECT reference, CASE kind WHEN 'payout' THEN 'PAYOUT_SETTLE' ELSE 'TRANSFER_SETTLE' END, 'settle'
    FROM intents WHERE state = 'settled'
    UNION ALL SELECT reference, 'PAYOUT_RELEASE', 'release' FROM intents WHERE held AND state = 'failed' AND kind = 'payout'
    UNION ALL SELECT reference, 'TRANSFER_HOLD', 'expire' FROM intents WHERE held AND state = 'failed' AND kind = 'transfer'
    UNION ALL SELECT reference, CASE kind WHEN 'collected' THEN 'PAYIN_COLLECTION' WHEN 'refunded' THEN 'PAYIN_REFUND'
                                          ELSE 'PAYIN_CHARGEBACK' END, 'plain' FROM pay_ins
    UNION ALL SELECT reference, CASE kind WHEN 'late_effect' THEN 'LATE_EFFECT' ELSE 'PAYOUT_RETURN' END, 'plain' FROM returns
), legs AS (
    SELECT i.reference AS subject, i.asset, x.debited, x.credited, x.minor
    FROM intents i CROSS JOIN LATERAL (VALUES
        (i.payer_address, 'transit:transfers', i.debit_minor), ('transit:transfers', i.payee_address, i.credit_minor),
        ('transit:transfers', 'revenue:transfer', i.fee_minor), ('transit:transfers', 'liabilities:vat', i.vat_minor)
    ) AS x (debited, credited, minor) WHERE i.kind = 'transfer'
    UNION ALL SELECT i.reference, i.asset, i.payer_address, x.credited, x.minor
    FROM intents i CROSS JOIN LATERAL (VALUES
        (i.bank, i.credit_minor + i.network_fee_minor), ('revenue:payout', i.fee_minor), ('liabilities:vat', i.vat_minor)
    ) AS x (credited, minor) WHERE i.kind = 'payout'
    UNION ALL SELECT y.reference, y.asset, x.debited, x.credited, x.minor
    FROM pay_ins y CROSS JOIN LATERAL (VALUES
        (y.bank, y.address, y.gross_minor - y.fee_minor - y.vat_minor), (y.bank, 'revenue:payin', y.fee_minor),
        (y.bank, 'liabilities:vat', y.vat_minor)
    ) AS x (debited, credited, minor) WHERE y.kind = 'collected'
    UNION ALL SELECT y.reference, y.asset, y.address, x.credited, x.minor
    FROM pay_ins y CROSS JOIN LATERAL (VALUES
        (y.bank, y.gross_minor), ('revenue:payin', y.fee_minor), ('liabilities:vat', y.vat_minor)
    ) AS x (credited, minor) WHERE y.kind <> 'collected'
    UNION ALL SELECT reference, asset, CASE kind WHEN 'late_effect' THEN payer_address ELSE bank END,
                     CASE kind WHEN 'late_effect' THEN bank ELSE payer_address END, amount_minor FROM returns
), transactions AS MATERIALIZED (
    SELECT t.id, t.subject, t.event_type, t.phase::text FROM ledger_transaction t WHERE left(t.subject, 4) IN ('int_', 'pin_', 'ret_')
), postings AS MATERIALIZED (  -- what a wallet owes us stands for the wallet here
    SELECT t.subject, t.event_type, CASE p.kind WHEN 'pending' THEN 'reserve' WHEN 'post' THEN 'settle' WHEN 'void' THEN 'release'
                                                WHEN 'expire' THEN 'expire' ELSE 'plain' END AS phase,
           d.address, replace(d.address, ':receivable', ':available') AS debited, c.address AS credited, p.asset, p.amount_minor
    FROM ledger_posting p JOIN transactions t ON t.id = p.transaction_id
    JOIN ledger_account d ON d.id = p.debit_account_id JOIN ledger_account c ON c.id = p.credit_account_id
), written AS (  -- a hold that has run out is swept before its transfer says so
    SELECT subject, event_type, phase, count(*) AS times FROM transactions t
    WHERE phase <> 'expire' OR NOT EXISTS (SELECT FROM intents i WHERE i.reference = t.subject AND i.state = 'authorized'
                                           AND i.kind = 'transfer')
    GROUP BY subject, event_type, phase
), lines AS (
    SELECT subject, event_type, phase, debited, credited, asset, sum(amount_minor) AS minor FROM postings
    GROUP BY subject, event_type, phase, debited, credited, asset
), due_lines AS (
    SELECT d.subject, d.event_type, d.phase, l.debited, l.credited, l.asset, sum(l.minor) AS minor
    FROM due d JOIN legs l ON l.subject = d.subject WHERE l.minor <> 0
    GROUP BY d.subject, d.event_type, d.phase, l.debited, l.credited, l.asset
), own AS (  -- what a wallet itself paid of what happened outside
    SELECT subject, sum(amount_minor) FILTER (WHERE address = debited) AS minor FROM postings WHERE phase = 'plain' GROUP BY subject
), due_history AS (
    SELECT i.payer AS wallet, i.reference AS subject, x.kind, x.minor
    FROM intents i CROSS JOIN LATERAL (VALUES
        ('transfer_hold', 'transfer', i.waited AND i.held, -i.debit_minor),
        ('transfer_out', 'transfer', i.state = 'settled', -i.debit_minor),
        ('transfer_release', 'transfer', i.held AND i.state = 'failed', i.debit_minor),
        ('payout_hold', 'payout', i.held, -i.debit_minor),
        ('payout', 'payout', i.state = 'settled', -i.debit_minor),
        ('payout_release', 'payout', i.held AND i.state = 'failed', i.debit_minor)
    ) AS x (kind, of, so, minor) WHERE x.of = i.kind AND x.so
    UNION ALL SELECT payee, reference, 'transfer_in', credit_minor FROM intents WHERE kind = 'transfer' AND state = 'settled'
    UNION ALL SELECT wallet, reference, 'payin_collected', gross_minor - fee_minor - vat_minor FROM pay_ins WHERE kind = 'collected'
    UNION ALL SELECT y.wallet, y.reference, 'payin_' || y.kind, -coalesce(o.minor, 0)
    FROM pay_ins y LEFT JOIN own o ON o.subject = y.reference WHERE y.kind <> 'collected'
    UNION ALL SELECT payer, reference, 'payout_return', amount_minor FROM returns WHERE kind <> 'late_effect'
    UNION ALL SELECT r.payer, r.reference, 'payout_late', -coalesce(o.minor, 0)
    FROM returns r LEFT JOIN own o ON o.subject = r.reference WHERE r.kind = 'late_effect'
), history AS MATERIALIZED (
    SELECT w.id, w.wallet, w.subject, w.kind, w.asset, w.amount_minor, w.posted_minor, w.held_minor,
           sum(CASE WHEN w.kind IN ('transfer_hold', 'transfer_release', 'payout_hold', 'payout_release') THEN 0
                    ELSE w.amount_minor END) OVER (PARTITION BY w.wallet, w.asset ORDER BY w.id) AS summed,
           lead(w.id) OVER (PARTITION BY w.wallet, w.asset ORDER BY w.id) IS NULL AS is_last
    FROM orders_walletentry w
)
SELECT 'one effect' AS rule, coalesce(d.subject, w.subject) AS subject,
       format('%s (%s): %s transactions', coalesce(d.event_type, w.event_type), coalesce(d.phase, w.phase), coalesce(w.times, 0))
       || CASE WHEN d.subject IS NULL THEN ', and its state calls for none' ELSE ', and its state calls for one' END AS detail
FROM due d FULL JOIN written w USING (subject, event_type, phase) WHERE d.subject IS NULL OR w.times IS DISTINCT FROM 1
UNION ALL
SELECT 'one effect', subject, format('%s (%s): %s to %s is %s, its terms say %s', event_type, phase, debited, credited,
                                     coalesce(l.minor, 0), coalesce(d.minor, 0))
FROM due_lines d FULL JOIN lines l USING (subject, event_type, phase, debited, credited, asset)
WHERE l.minor IS DISTINCT FROM d.minor
  AND (l.phase IS DISTINCT FROM 'expire' OR d.subject IS NOT NULL
       OR EXISTS (SELECT FROM due x WHERE x.subject = l.subject AND x.phase = 'expire'))
UNION ALL
SELECT 'history', subject, format('%s of %s: %s is written, %s happened', kind, wallet, h.amount_minor, d.minor)
FROM due_history d FULL JOIN (SELECT * FROM history WHERE left(subject, 4) IN ('int_', 'pin_', 'ret_')) h
USING (subject, wallet, kind) WHERE h.amount_minor IS DISTINCT FROM d.minor
UNION ALL
SELECT 'history', h.subject, format('%s of %s: posted %s after it, the lines come to %s', h.kind, h.wallet, h.posted_minor, h.summed)
FROM history h WHERE h.posted_minor <> h.summed
UNION ALL
SELECT 'history', w.reference, format('the last line says %s posted and %s held, the book %s and %s', h.posted_minor,
                                      h.held_minor, b.credits_posted - b.debits_posted, b.debits_pending)
FROM wallets w JOIN ledger_balance b ON b.address = w.address
LEFT JOIN history h ON h.wallet = w.reference AND h.asset = b.asset AND h.is_last
WHERE coalesce(h.posted_minor, 0) <> b.credits_posted - b.debits_posted
   OR (coalesce(h.held_minor, 0) <> b.debits_pending
       AND NOT EXISTS (SELECT FROM intents i JOIN transactions t ON t.subject = i.reference AND t.phase = 'expire'
                       WHERE i.payer = w.reference AND i.state = 'authorized'))
