-- What counts in this period.
SELECT t.id AS transaction_id FROM ledger_transaction t
WHERE t.book_id = %(book)s AND t.effective_at >= %(since)s AND t.effective_at < %(until)s
