-- Lines of wallets' history with the balances after each: those of now, less what the later lines of the list did.
INSERT INTO orders_walletentry (wallet, environment, operator_id, subject, kind, asset, amount_minor, posted_minor,
                                held_minor, ledger_reference, recorded_at)
SELECT w.wallet, %(environment)s, w.operator_id, w.subject, w.kind, w.asset, w.amount,
       b.credits_posted - b.debits_posted - coalesce(sum(w.posted) OVER later, 0),
       b.debits_pending - coalesce(sum(w.held) OVER later, 0),
       coalesce('led_' || replace((
           SELECT p.id::text FROM ledger_posting AS p
           WHERE p.transaction_id = w.transaction_id AND b.account_id IN (p.debit_account_id, p.credit_account_id)
           ORDER BY p.position LIMIT 1), '-', ''), ''),
       %(now)s
FROM unnest(%(wallet)s::text[], %(operator)s::bigint[], %(address)s::text[], %(subject)s::text[], %(kind)s::text[],
            %(asset)s::text[], %(amount)s::numeric[], %(posted)s::numeric[], %(held)s::numeric[],
            %(transaction)s::uuid[]) WITH ORDINALITY
     AS w (wallet, operator_id, address, subject, kind, asset, amount, posted, held, transaction_id, n)
JOIN ledger_balance AS b ON b.book_id = %(book)s AND b.address = w.address AND b.asset = w.asset
WINDOW later AS (PARTITION BY w.address, w.asset ORDER BY w.n ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
ORDER BY w.n
