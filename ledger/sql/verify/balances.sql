-- L3: an account's four balances, open deltas in them, are the fold of its postings.
WITH effects AS (
    SELECT side.account_id, side.is_debit,
           CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END AS posted,
           CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor ELSE -q.amount_minor END AS pending
    FROM ledger_posting p
    LEFT JOIN ledger_posting q ON q.id = p.pending_id
    CROSS JOIN LATERAL (VALUES (p.debit_account_id, true), (p.credit_account_id, false)) AS side (account_id, is_debit)
    WHERE p.book_id = ANY (%(books)s)
), folded AS (
    SELECT account_id, coalesce(sum(posted) FILTER (WHERE is_debit), 0) AS dp,
           coalesce(sum(posted) FILTER (WHERE NOT is_debit), 0) AS cp,
           coalesce(sum(pending) FILTER (WHERE is_debit), 0) AS dq,
           coalesce(sum(pending) FILTER (WHERE NOT is_debit), 0) AS cq
    FROM effects GROUP BY account_id
)
SELECT b.book_id, b.address || ' ' || b.asset AS subject,
       format('balance says %%s/%%s posted and %%s/%%s pending, its postings %%s/%%s and %%s/%%s', b.debits_posted,
              b.credits_posted, b.debits_pending, b.credits_pending, coalesce(f.dp, 0), coalesce(f.cp, 0),
              coalesce(f.dq, 0), coalesce(f.cq, 0)) AS detail
FROM ledger_balance b LEFT JOIN folded f ON f.account_id = b.account_id
WHERE b.book_id = ANY (%(books)s)
  AND (b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending)
      <> (coalesce(f.dp, 0), coalesce(f.cp, 0), coalesce(f.dq, 0), coalesce(f.cq, 0))
ORDER BY 1, 2
