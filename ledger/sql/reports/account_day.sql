-- Addresses over a date: per address and asset what stands posted now, and per event type what counted in the date and after it.
WITH account AS (
    SELECT b.account_id AS id, b.address, b.asset, b.debits_posted - b.credits_posted AS net
    FROM ledger_balance b WHERE b.book_id = %(book)s AND b.address = ANY (%(addresses)s)
), moved AS (
    SELECT a.id, x.event_type, x.effective_at >= %(end)s AS after, count(DISTINCT x.id) AS transactions,
           coalesce(sum(p.amount_minor) FILTER (WHERE p.debit_account_id = a.id), 0) AS debited,
           coalesce(sum(p.amount_minor) FILTER (WHERE p.credit_account_id = a.id), 0) AS credited
    FROM account a JOIN ledger_posting p ON a.id IN (p.debit_account_id, p.credit_account_id)
    JOIN ledger_transaction x ON x.id = p.transaction_id
    WHERE x.book_id = %(book)s AND x.effective_at >= %(start)s AND p.kind IN ('posted', 'post')
    GROUP BY a.id, x.event_type, after
)
SELECT a.address, a.asset, a.net::text, m.event_type, m.after, m.transactions, m.debited::text, m.credited::text
FROM account a LEFT JOIN moved m ON m.id = a.id ORDER BY a.address, a.asset, m.event_type, m.after
