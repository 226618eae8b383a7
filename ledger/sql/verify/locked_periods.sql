-- L8: nothing was posted with an effective time inside a period that was locked by then.
SELECT t.book_id, t.key AS subject,
       format('effective %%s, recorded %%s, its date was locked %%s', t.effective_at, t.recorded_at, p.locked_at) AS detail
FROM ledger_period p
JOIN ledger_book b ON b.id = p.book_id
JOIN ledger_transaction t ON t.book_id = p.book_id
 AND t.effective_at >= p.business_date::timestamp AT TIME ZONE b.close_zone
 AND t.effective_at < (p.business_date + 1)::timestamp AT TIME ZONE b.close_zone
WHERE p.locked_at IS NOT NULL AND p.book_id = ANY (%(books)s) AND t.recorded_at > p.locked_at
ORDER BY 1, 2
