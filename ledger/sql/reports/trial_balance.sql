-- By GL code and asset: turnover of both sides, and the balance on the side on which it stands.
SELECT a.gl_code, a.asset, min(a.account_class), min(a.normal_side), count(*), sum(b.dp), sum(b.cp), sum(b.dq), sum(b.cq),
       min(g.scale)
FROM ({scope}) AS b
JOIN ledger_account a ON a.id = b.account_id
JOIN ledger_asset g ON g.code = a.asset
WHERE %(asset)s = '' OR a.asset = %(asset)s
GROUP BY a.gl_code, a.asset
ORDER BY a.asset, a.gl_code
