-- L1: a posting joins one transaction and two accounts of its book and asset; one that ends a pending fits it.
SELECT p.book_id, 'led_' || replace(p.id::text, '-', '') AS subject,
       concat_ws('; ',
           CASE WHEN t.id IS NULL THEN 'no transaction' WHEN t.book_id <> p.book_id THEN 'transaction of another book' END,
           CASE WHEN d.id IS NULL THEN 'no debited account'
                WHEN d.book_id <> p.book_id THEN 'debited account of another book'
                WHEN d.asset <> p.asset THEN 'debited account of another asset' END,
           CASE WHEN c.id IS NULL THEN 'no credited account'
                WHEN c.book_id <> p.book_id THEN 'credited account of another book'
                WHEN c.asset <> p.asset THEN 'credited account of another asset' END,
           CASE WHEN p.debit_account_id = p.credit_account_id THEN 'debits and credits one account' END,
           CASE WHEN p.amount_minor = 0 AND p.kind IN ('posted', 'pending') AND t.flags IS NULL THEN 'an amount of 0' END,
           CASE WHEN (p.pending_id IS NOT NULL) <> (p.kind IN ('post', 'void', 'expire')) OR (p.pending_id IS NOT NULL
                     AND q.id IS NULL) THEN format('%%s without its pending', p.kind)
                WHEN q.kind <> 'pending' OR q.transaction_id <> t.hold_id THEN 'ends what is not its hold''s pending'
                WHEN q.debit_account_id <> p.debit_account_id OR q.credit_account_id <> p.credit_account_id
                  OR q.asset <> p.asset THEN 'other accounts than its pending'
                WHEN p.amount_minor > q.amount_minor OR (p.kind <> 'post' AND p.amount_minor <> q.amount_minor)
                    THEN format('%%s of %%s, its pending is %%s', p.kind, p.amount_minor, q.amount_minor) END,
           CASE WHEN p.kind <> ALL (CASE t.phase WHEN 'plain' THEN '{posted}'::text[] WHEN 'reserve' THEN '{pending}'
                                    WHEN 'settle' THEN '{post,void}' WHEN 'release' THEN '{void}' ELSE '{expire}' END)
                THEN format('%%s in a %%s transaction', p.kind, t.phase) END) AS detail
FROM ledger_posting p
LEFT JOIN ledger_transaction t ON t.id = p.transaction_id
LEFT JOIN ledger_account d ON d.id = p.debit_account_id
LEFT JOIN ledger_account c ON c.id = p.credit_account_id
LEFT JOIN ledger_posting q ON q.id = p.pending_id
WHERE (p.book_id = ANY (%(books)s) OR t.book_id = ANY (%(books)s))
  AND ((t.book_id = p.book_id AND d.book_id = p.book_id AND d.asset = p.asset AND c.book_id = p.book_id
        AND c.asset = p.asset AND p.debit_account_id <> p.credit_account_id
        AND (p.amount_minor > 0 OR p.kind NOT IN ('posted', 'pending') OR t.flags IS NOT NULL)
        AND (p.pending_id IS NOT NULL) = (p.kind IN ('post', 'void', 'expire'))
        AND (p.pending_id IS NULL OR (q.kind = 'pending' AND q.transaction_id = t.hold_id
             AND q.debit_account_id = p.debit_account_id AND q.credit_account_id = p.credit_account_id
             AND q.asset = p.asset AND p.amount_minor <= q.amount_minor
             AND (p.kind = 'post' OR p.amount_minor = q.amount_minor)))
        AND p.kind = ANY (CASE t.phase WHEN 'plain' THEN '{posted}'::text[] WHEN 'reserve' THEN '{pending}'
                          WHEN 'settle' THEN '{post,void}' WHEN 'release' THEN '{void}' ELSE '{expire}' END)) IS NOT TRUE)
ORDER BY 1, 2
