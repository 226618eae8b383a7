-- Balances as they were: those of now less the effect of every transaction that came after. One statement, one snapshot.
SELECT n.account_id, n.dp - coalesce(l.dp, 0) AS dp, n.cp - coalesce(l.cp, 0) AS cp, n.dq - coalesce(l.dq, 0) AS dq,
       n.cq - coalesce(l.cq, 0) AS cq
FROM ({now}) AS n
LEFT JOIN ({effects}) AS l ON l.account_id = n.account_id
