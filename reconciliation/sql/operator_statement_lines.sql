-- What moved between an operator and us in a window: one row per posting on its account, with the ids it knows.
SELECT x.effective_at, 'led_' || replace(p.id::text, '-', '') AS ledger_id, x.event_type, a.asset,
       CASE WHEN p.debit_account_id = a.id THEN p.amount_minor ELSE -p.amount_minor END AS amount_minor,
       coalesce(o.reference, '') AS order_id, coalesce(o.partner_order_id, '') AS partner_order_id,
       coalesce(x.refs ->> 'return', '') AS return_id, coalesce(x.refs ->> 'statement', '') AS statement
FROM ledger_account a
JOIN ledger_posting p ON a.id IN (p.debit_account_id, p.credit_account_id)
JOIN ledger_transaction x ON x.id = p.transaction_id
LEFT JOIN orders_order o ON o.reference = coalesce(x.refs ->> 'order', x.subject)
                        AND o.operator_id = %(operator)s AND o.environment = %(environment)s
WHERE a.book_id = %(book)s AND a.address = %(address)s AND x.book_id = %(book)s AND p.kind IN ('posted', 'post')
  AND x.effective_at >= %(start)s AND x.effective_at < %(end)s
ORDER BY x.effective_at, p.id
