-- L6: each reserve is one hold; a hold ends once, and each of its pendings with it.
WITH pendings AS (
    SELECT p.transaction_id, count(*) AS placed, count(e.id) AS ended,
           count(*) FILTER (WHERE e.transaction_id IS DISTINCT FROM h.ended_by) AS elsewhere
    FROM ledger_posting p
    LEFT JOIN ledger_posting e ON e.pending_id = p.id
    LEFT JOIN ledger_hold h ON h.transaction_id = p.transaction_id
    WHERE p.kind = 'pending' AND p.book_id = ANY (%(books)s)
    GROUP BY p.transaction_id
)
SELECT coalesce(t.book_id, h.book_id) AS book_id, coalesce(t.key, h.transaction_id::text) AS subject,
       CASE
           WHEN t.id IS NULL THEN 'a hold without its transaction'
           WHEN h.transaction_id IS NULL THEN 'a reserve without its hold'
           WHEN p.transaction_id IS NULL THEN 'a hold without pending postings'
           WHEN h.state = 'open' THEN format('open, but %%s of %%s pendings have ended', p.ended, p.placed)
           WHEN e.id IS NULL OR e.hold_id IS DISTINCT FROM h.transaction_id
               THEN format('%%s by a transaction that does not end it', h.state)
           WHEN e.phase <> CASE h.state WHEN 'posted' THEN 'settle' WHEN 'voided' THEN 'release' ELSE 'expire' END
               THEN format('%%s by a %%s', h.state, e.phase)
           ELSE format('%%s, but %%s of %%s pendings have ended, %%s elsewhere', h.state, p.ended, p.placed, p.elsewhere)
       END AS detail
FROM (SELECT * FROM ledger_transaction WHERE phase = 'reserve' AND book_id = ANY (%(books)s)) AS t
FULL JOIN (SELECT * FROM ledger_hold WHERE book_id = ANY (%(books)s)) AS h ON h.transaction_id = t.id
LEFT JOIN pendings p ON p.transaction_id = coalesce(t.id, h.transaction_id)
LEFT JOIN ledger_transaction e ON e.id = h.ended_by
WHERE t.id IS NULL OR h.transaction_id IS NULL OR p.transaction_id IS NULL
   OR (h.state = 'open' AND p.ended > 0)
   OR (h.state <> 'open' AND (p.ended <> p.placed OR p.elsewhere > 0 OR e.id IS NULL OR e.hold_id <> h.transaction_id
       OR e.phase <> CASE h.state WHEN 'posted' THEN 'settle' WHEN 'voided' THEN 'release' ELSE 'expire' END))
ORDER BY 1, 2
