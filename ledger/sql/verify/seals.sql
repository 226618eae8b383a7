-- L9: what was sealed is as it was when it was sealed, in the order in which it was sealed.
WITH lines AS (
    SELECT p.transaction_id, jsonb_agg(ledger_line(p, d.address, c.address) ORDER BY p.position, p.id) AS lines
    FROM ledger_posting p
    LEFT JOIN ledger_account d ON d.id = p.debit_account_id
    LEFT JOIN ledger_account c ON c.id = p.credit_account_id
    GROUP BY p.transaction_id
), members AS (
    SELECT book_id, number, count(*) AS members, min(position) AS first, max(position) AS last,
           encode(sha256(string_agg(digest, '' ORDER BY position)), 'hex') AS hash
    FROM ledger_block_member WHERE book_id = ANY (%(books)s) GROUP BY book_id, number
)
SELECT m.book_id, coalesce(t.key, m.transaction_id::text) AS subject,
       format('block %%s sealed it at place %%s; %%s', m.number, m.position,
              CASE WHEN t.id IS NULL THEN 'the transaction is gone' ELSE 'it or its postings are not what was sealed' END)
       AS detail
FROM ledger_block_member m
LEFT JOIN ledger_transaction t ON t.id = m.transaction_id
LEFT JOIN lines l ON l.transaction_id = m.transaction_id
WHERE m.book_id = ANY (%(books)s) AND (t.id IS NULL OR ledger_digest(t, l.lines) <> m.digest)
UNION ALL
SELECT coalesce(b.book_id, m.book_id), 'block ' || coalesce(b.number, m.number),
       CASE WHEN b.number IS NULL THEN format('%%s members of a block that is gone', m.members)
            WHEN m.number IS NULL THEN format('%%s members are gone', b.members)
            WHEN (m.members, m.first, m.last) <> (b.members, 1, b.members)
                THEN format('%%s members at places %%s to %%s, it sealed %%s', m.members, m.first, m.last, b.members)
            ELSE 'its members or their order are not what was sealed' END
FROM (SELECT * FROM ledger_block WHERE book_id = ANY (%(books)s)) AS b
FULL JOIN members m ON m.book_id = b.book_id AND m.number = b.number
WHERE ((m.members, m.first, m.last, m.hash) = (b.members, 1, b.members, b.members_hash)) IS NOT TRUE
ORDER BY 1, 2
