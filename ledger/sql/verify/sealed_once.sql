-- L9: each transaction is sealed or waits for the sealer.
SELECT t.book_id, t.key AS subject, CASE WHEN m.transaction_id IS NULL THEN 'neither sealed nor waiting to be'
       WHEN m.book_id <> t.book_id THEN format('sealed in book %%s', m.book_id) ELSE 'sealed, and waits to be' END AS detail
FROM ledger_transaction t
LEFT JOIN ledger_block_member m ON m.transaction_id = t.id
LEFT JOIN ledger_unsealed u ON u.transaction_id = t.id
WHERE t.book_id = ANY (%(books)s)
  AND (((m.transaction_id IS NULL) = (u.transaction_id IS NULL)) OR m.book_id <> t.book_id)
ORDER BY 1, 2
