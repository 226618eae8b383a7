-- By asset, class and workflow view: balances as credits less debits, posted and pending apart.
SELECT a.asset, a.account_class, a.workflow_view, count(*), sum(b.cp - b.dp), sum(b.cq - b.dq), min(g.scale)
FROM ({scope}) AS b
JOIN ledger_account a ON a.id = b.account_id
JOIN ledger_asset g ON g.code = a.asset
WHERE %(asset)s = '' OR a.asset = %(asset)s
GROUP BY a.asset, a.account_class, a.workflow_view
ORDER BY a.asset, a.account_class, a.workflow_view
