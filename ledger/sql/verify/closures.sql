-- An account is closed while, and only while, a hold that closes it is open.
WITH closing AS (
    SELECT h.book_id, h.transaction_id, t.key, side.account_id
    FROM ledger_hold h
    JOIN ledger_transaction t ON t.id = h.transaction_id AND t.flags && '{closing_debit,closing_credit}'
    JOIN ledger_posting p ON p.transaction_id = t.id
    CROSS JOIN LATERAL (VALUES (p.debit_account_id, 'closing_debit'), (p.credit_account_id, 'closing_credit'))
          AS side (account_id, flag)
    WHERE h.state = 'open' AND h.book_id = ANY (%(books)s) AND side.flag = ANY (t.flags)
)
SELECT coalesce(l.book_id, c.book_id) AS book_id,
       coalesce(a.address || ' ' || a.asset, coalesce(l.account_id, c.account_id)::text) AS subject,
       CASE WHEN c.account_id IS NULL THEN 'closed without an open hold that closes it'
            WHEN l.account_id IS NULL THEN format('open, but the hold %%s closes it', c.key)
            ELSE format('closed, but not by %%s', c.key) END AS detail
FROM (SELECT * FROM ledger_closure WHERE book_id = ANY (%(books)s)) AS l
FULL JOIN closing c ON c.account_id = l.account_id
LEFT JOIN ledger_account a ON a.id = coalesce(l.account_id, c.account_id)
WHERE l.closed_by IS DISTINCT FROM c.transaction_id
ORDER BY 1, 2
