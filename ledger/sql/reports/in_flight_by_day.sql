-- Money in flight at the end of each business date: what stands in transit, and what open holds reserve of others' money
-- and our own. That of the scope less what came later in it; a pending reserves, its end gives the whole of it back.
WITH chosen AS (
    SELECT a.id, a.asset, a.workflow_view = 'in_flight' AS transit FROM ledger_account a
    WHERE a.book_id = %(book)s AND (%(asset)s = '' OR a.asset = %(asset)s) AND a.normal_side = 'credit'
), present AS (
    SELECT c.asset, sum(CASE WHEN c.transit THEN n.cp - n.dp ELSE n.dq END) AS flying
    FROM ({scope}) AS n JOIN chosen c ON c.id = n.account_id GROUP BY c.asset
), moved AS (
    SELECT c.asset, (t.effective_at AT TIME ZONE %(zone)s)::date AS day,
           sum(CASE WHEN NOT c.transit THEN CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor
                                                        ELSE -q.amount_minor END
                    WHEN p.kind NOT IN ('posted', 'post') THEN 0
                    WHEN s.is_debit THEN -p.amount_minor ELSE p.amount_minor END) AS flying
    FROM ledger_transaction t
    JOIN ledger_posting p ON p.transaction_id = t.id
    LEFT JOIN ledger_posting q ON q.id = p.pending_id
    CROSS JOIN LATERAL (VALUES (p.debit_account_id, true), (p.credit_account_id, false)) AS s (account_id, is_debit)
    JOIN chosen c ON c.id = s.account_id AND (c.transit OR s.is_debit)
    WHERE t.book_id = %(book)s AND t.effective_at >= %(start)s AND {counts}
    GROUP BY 1, 2
)
SELECT n.asset, d.day::date, n.flying - coalesce((SELECT sum(m.flying) FROM moved m
                                                  WHERE m.asset = n.asset AND m.day > d.day::date), 0), g.scale
FROM present n
JOIN ledger_asset g ON g.code = n.asset
CROSS JOIN generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS d (day)
ORDER BY 1, 2
