-- An account's balance at the end of each business date, as credits less debits: that of the scope less what counts later in it.
WITH chosen AS (
    SELECT a.id, a.asset FROM ledger_account a
    WHERE a.book_id = %(book)s AND (%(asset)s = '' OR a.asset = %(asset)s) AND a.address = %(address)s
), present AS (
    SELECT c.asset, sum(n.cp - n.dp) AS posted FROM ({scope}) AS n JOIN chosen c ON c.id = n.account_id GROUP BY c.asset
), moved AS (
    SELECT c.asset, (t.effective_at AT TIME ZONE %(zone)s)::date AS day,
           sum(CASE WHEN s.is_debit THEN -p.amount_minor ELSE p.amount_minor END) AS posted
    FROM ledger_transaction t
    JOIN ledger_posting p ON p.transaction_id = t.id AND p.kind IN ('posted', 'post')
    CROSS JOIN LATERAL (VALUES (p.debit_account_id, true), (p.credit_account_id, false)) AS s (account_id, is_debit)
    JOIN chosen c ON c.id = s.account_id
    WHERE t.book_id = %(book)s AND t.effective_at >= %(start)s AND {counts}
    GROUP BY 1, 2
)
SELECT n.asset, d.day::date, n.posted - coalesce((SELECT sum(m.posted) FROM moved m
                                                  WHERE m.asset = n.asset AND m.day > d.day::date), 0), g.scale
FROM present n
JOIN ledger_asset g ON g.code = n.asset
CROSS JOIN generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS d (day)
ORDER BY 1, 2
