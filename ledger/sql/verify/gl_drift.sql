-- A posting lands on a GL code (or a sub-code of one) that a mapping of its event type names, or has named while active.
WITH named AS MATERIALIZED (
    SELECT b.id AS book_id, m.event_type, array_agg(DISTINCT c.code) AS codes
    FROM ledger_glmapping m
    JOIN ledger_book b ON b.environment = m.environment
    CROSS JOIN LATERAL jsonb_each(m.content -> 'lines') AS l (name, line)
    CROSS JOIN LATERAL jsonb_array_elements_text((l.line -> 'debit') || (l.line -> 'credit')) AS c (code)
    WHERE m.state IN ('active', 'retired')
    GROUP BY b.id, m.event_type
), landed AS MATERIALIZED (
    SELECT p.book_id, t.event_type, a.gl_code, count(*) AS postings, min(p.id::text)::uuid AS first
    FROM ledger_posting p
    JOIN ledger_transaction t ON t.id = p.transaction_id
    CROSS JOIN LATERAL (VALUES (p.debit_account_id), (p.credit_account_id)) AS s (account_id)
    JOIN ledger_account a ON a.id = s.account_id
    WHERE p.book_id = ANY (%(books)s)
    GROUP BY p.book_id, t.event_type, a.gl_code
)
SELECT l.book_id, l.event_type AS subject,
       CASE WHEN n.codes IS NULL THEN format('%%s postings without a mapping, the first is led_%%s', l.postings,
                                             replace(l.first::text, '-', ''))
            ELSE format('%%s postings at GL code %%s, which its mapping does not name; the first is led_%%s', l.postings,
                        l.gl_code, replace(l.first::text, '-', '')) END AS detail
FROM landed l
LEFT JOIN named n ON n.book_id = l.book_id AND n.event_type = l.event_type
WHERE n.codes IS NULL
   OR NOT EXISTS (SELECT FROM unnest(n.codes) AS c (code)
                  WHERE c.code = '*' OR l.gl_code = c.code OR starts_with(l.gl_code, c.code || '.'))
ORDER BY 1, 2, 3
