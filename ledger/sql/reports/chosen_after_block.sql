-- What is in no block up to this one: later blocks, and what waits for the sealer.
SELECT m.transaction_id FROM ledger_block_member m WHERE m.book_id = %(book)s AND m.number > %(block)s
UNION ALL
SELECT u.transaction_id FROM ledger_unsealed u WHERE u.book_id = %(book)s
