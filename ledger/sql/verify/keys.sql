-- L7: a transaction stands under one key, has postings, and is counted from position 0 on.
WITH counted AS (
    SELECT transaction_id, count(*) AS postings, min(position) AS first, max(position) AS last,
           count(DISTINCT position) AS positions
    FROM ledger_posting WHERE book_id = ANY (%(books)s) GROUP BY transaction_id
)
SELECT t.book_id, t.key AS subject,
       concat_ws('; ', CASE WHEN k.key IS NULL THEN 'no key' WHEN k.transaction_id <> t.id THEN 'its key names another' END,
                 CASE WHEN c.postings IS NULL THEN 'no postings'
                      WHEN c.first <> 0 OR c.last <> c.postings - 1 OR c.positions <> c.postings
                          THEN format('%%s postings at %%s to %%s', c.postings, c.first, c.last) END) AS detail
FROM ledger_transaction t
LEFT JOIN ledger_key k ON k.book_id = t.book_id AND k.key = t.key
LEFT JOIN counted c ON c.transaction_id = t.id
WHERE t.book_id = ANY (%(books)s)
  AND (k.transaction_id IS DISTINCT FROM t.id OR c.postings IS NULL OR c.first <> 0 OR c.last <> c.postings - 1
       OR c.positions <> c.postings)
ORDER BY 1, 2
