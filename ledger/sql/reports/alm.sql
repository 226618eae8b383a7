-- By asset, part, class and workflow view, posted and pending apart: what covers is counted as debits less credits.
SELECT p.asset, p.part, p.account_class, p.workflow_view, count(*), sum(p.sign * (p.cp - p.dp)), sum(p.sign * (p.cq - p.dq)),
       min(g.scale)
FROM (
    SELECT a.asset, a.account_class, a.workflow_view, b.*, o.part, CASE o.part WHEN 'covers' THEN -1 ELSE 1 END AS sign
    FROM ({scope}) AS b
    JOIN ledger_account a ON a.id = b.account_id
    CROSS JOIN LATERAL (SELECT CASE WHEN a.workflow_view = 'in_flight' THEN 'in_flight'
                                    WHEN a.account_class = 'asset' OR a.workflow_view = 'outside' THEN 'covers'
                                    WHEN a.account_class = 'liability' THEN 'owed' ELSE 'own' END AS part) AS o
    WHERE %(asset)s = '' OR a.asset = %(asset)s
) AS p
JOIN ledger_asset g ON g.code = p.asset
GROUP BY p.asset, p.part, p.account_class, p.workflow_view
ORDER BY p.asset, array_position(ARRAY['covers', 'owed', 'in_flight', 'own'], p.part), p.account_class, p.workflow_view
