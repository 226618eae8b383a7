-- L8: nothing was posted with an effective time inside a period that was locked by then. What was there at the lock was sealed
-- with it: what is not among those blocks came later, whatever it says itself.
SELECT t.book_id, t.key AS subject,
       format('effective %%s, recorded %%s, its date was locked %%s%%s', t.effective_at, t.recorded_at, p.locked_at,
              CASE WHEN t.recorded_at > p.locked_at THEN ''
                   ELSE concat(', sealed through block ', c.sealed_through, '; it is ',
                               coalesce('in block ' || m.number, 'not sealed')) END) AS detail
FROM ledger_period p
JOIN ledger_book b ON b.id = p.book_id
JOIN ledger_transaction t ON t.book_id = p.book_id
 AND t.effective_at >= p.business_date::timestamp AT TIME ZONE b.close_zone
 AND t.effective_at < (p.business_date + 1)::timestamp AT TIME ZONE b.close_zone
LEFT JOIN ledger_period_change c ON c.book_id = p.book_id AND c.business_date = p.business_date AND c.version = p.version
 AND c.action = 'locked'
LEFT JOIN ledger_block_member m ON m.transaction_id = t.id
WHERE p.locked_at IS NOT NULL AND p.book_id = ANY (%(books)s)
  AND (t.recorded_at > p.locked_at OR coalesce(m.number, c.sealed_through + 1) > c.sealed_through)
ORDER BY 1, 2
