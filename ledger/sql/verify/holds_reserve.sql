-- L6: what is pending on an account is what its open holds reserve.
WITH reserved AS (
    SELECT side.account_id, coalesce(sum(p.amount_minor) FILTER (WHERE side.is_debit), 0) AS debits,
           coalesce(sum(p.amount_minor) FILTER (WHERE NOT side.is_debit), 0) AS credits
    FROM ledger_hold h
    JOIN ledger_posting p ON p.transaction_id = h.transaction_id AND p.kind = 'pending'
    CROSS JOIN LATERAL (VALUES (p.debit_account_id, true), (p.credit_account_id, false)) AS side (account_id, is_debit)
    WHERE h.state = 'open' AND h.book_id = ANY (%(books)s)
    GROUP BY side.account_id
)
SELECT b.book_id, b.address || ' ' || b.asset AS subject,
       format('balance says %%s/%%s pending, its open holds %%s/%%s', b.debits_pending, b.credits_pending,
              coalesce(r.debits, 0), coalesce(r.credits, 0)) AS detail
FROM ledger_balance b LEFT JOIN reserved r ON r.account_id = b.account_id
WHERE b.book_id = ANY (%(books)s)
  AND (b.debits_pending, b.credits_pending) <> (coalesce(r.debits, 0), coalesce(r.credits, 0))
ORDER BY 1, 2
