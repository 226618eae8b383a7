-- Every account of the book with its balances as of this statement: what is folded, and the open deltas.
SELECT a.id AS account_id, a.debits_posted + coalesce(d.dp, 0) AS dp, a.credits_posted + coalesce(d.cp, 0) AS cp,
       a.debits_pending + coalesce(d.dq, 0) AS dq, a.credits_pending + coalesce(d.cq, 0) AS cq
FROM ledger_account a
LEFT JOIN (SELECT x.account_id, sum(x.debits_posted) AS dp, sum(x.credits_posted) AS cp, sum(x.debits_pending) AS dq,
                  sum(x.credits_pending) AS cq
           FROM ledger_delta x GROUP BY x.account_id) d ON d.account_id = a.id
WHERE a.book_id = %(book)s
