-- Accounts with their balances, by address and asset, behind a place.
SELECT a.address, a.asset, a.account_class, a.gl_code, a.normal_side, a.workflow_view, b.dp, b.cp, b.dq, b.cq,
       g.scale, a.id
FROM ({scope}) AS b
JOIN ledger_account a ON a.id = b.account_id
JOIN ledger_asset g ON g.code = a.asset
WHERE (%(asset)s = '' OR a.asset = %(asset)s) AND (%(account_class)s = '' OR a.account_class = %(account_class)s)
  AND (%(gl_code)s = '' OR a.gl_code = %(gl_code)s)
  AND (%(view)s = '' OR a.workflow_view = %(view)s) AND (a.address, a.asset) > (%(address)s, %(after_asset)s)
ORDER BY a.address, a.asset
LIMIT %(limit)s
