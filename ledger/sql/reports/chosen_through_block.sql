-- What is in a block up to this one.
SELECT m.transaction_id FROM ledger_block_member m WHERE m.book_id = %(book)s AND m.number <= %(block)s
