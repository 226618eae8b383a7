-- What these transactions did to each account, and nothing else.
SELECT a.id AS account_id, coalesce(l.dp, 0) AS dp, coalesce(l.cp, 0) AS cp, coalesce(l.dq, 0) AS dq,
       coalesce(l.cq, 0) AS cq
FROM ledger_account a
LEFT JOIN ({effects}) AS l ON l.account_id = a.id
WHERE a.book_id = %(book)s
