-- The effect of a set of transactions on each account: a pending reserves, its end takes the whole of it back.
SELECT s.account_id, sum(e.posted) FILTER (WHERE s.is_debit) AS dp, sum(e.posted) FILTER (WHERE NOT s.is_debit) AS cp,
       sum(e.pending) FILTER (WHERE s.is_debit) AS dq, sum(e.pending) FILTER (WHERE NOT s.is_debit) AS cq
FROM ({chosen}) AS x
JOIN ledger_posting p ON p.transaction_id = x.transaction_id
LEFT JOIN ledger_posting q ON q.id = p.pending_id
CROSS JOIN LATERAL (VALUES (CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END,
    CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor ELSE -q.amount_minor END)) AS e (posted, pending)
CROSS JOIN LATERAL (VALUES (p.debit_account_id, true), (p.credit_account_id, false)) AS s (account_id, is_debit)
GROUP BY s.account_id
