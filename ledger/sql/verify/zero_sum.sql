-- L1: per asset, all accounts of a book sum to 0, posted and pending apart.
SELECT b.book_id, b.asset AS subject,
       format('posted %%s debited, %%s credited; pending %%s debited, %%s credited', sum(b.debits_posted),
              sum(b.credits_posted), sum(b.debits_pending), sum(b.credits_pending)) AS detail
FROM ledger_balance b
WHERE b.book_id = ANY (%(books)s)
GROUP BY b.book_id, b.asset
HAVING sum(b.debits_posted) <> sum(b.credits_posted) OR sum(b.debits_pending) <> sum(b.credits_pending)
ORDER BY 1, 2
