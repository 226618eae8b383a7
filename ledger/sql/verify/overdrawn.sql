-- L4: an account that may not be overdrawn is not, and no balance is negative; pending debits count.
SELECT b.book_id, b.address || ' ' || b.asset AS subject,
       format('%%s: %%s/%%s posted, %%s/%%s pending', b.balance_rule, b.debits_posted, b.credits_posted, b.debits_pending,
              b.credits_pending) AS detail
FROM ledger_balance b
WHERE b.book_id = ANY (%(books)s)
  AND (least(b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending) < 0
       OR (b.balance_rule = 'debits_must_not_exceed_credits' AND b.debits_posted + b.debits_pending > b.credits_posted)
       OR (b.balance_rule = 'credits_must_not_exceed_debits' AND b.credits_posted + b.credits_pending > b.debits_posted))
ORDER BY 1, 2
