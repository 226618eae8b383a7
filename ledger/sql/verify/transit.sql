-- L5: what has ended, by its last move, has nothing in transit any more; what is still under way may.
WITH transit AS MATERIALIZED (
    SELECT a.id FROM ledger_account a WHERE a.book_id = ANY (%(books)s) AND a.workflow_view = 'in_flight'
), moved AS (
    SELECT x.book_id, x.subject, p.asset, sum(p.amount_minor * ((p.credit_account_id IN (SELECT id FROM transit))::int
                                                               - (p.debit_account_id IN (SELECT id FROM transit))::int)) AS net
    FROM ledger_posting p JOIN ledger_transaction x ON x.id = p.transaction_id
    WHERE x.book_id = ANY (%(books)s) AND p.kind IN ('posted', 'post') AND x.subject <> ''
      AND (p.credit_account_id IN (SELECT id FROM transit) OR p.debit_account_id IN (SELECT id FROM transit))
    GROUP BY x.book_id, x.subject, p.asset
)
SELECT m.book_id, m.subject,
       format('it has ended %%s, and %%s stands in transit', l.to_state,
              string_agg(format('%%s %%s', m.net, m.asset), ', ' ORDER BY m.asset)) AS detail
FROM moved m
CROSS JOIN LATERAL (SELECT v.machine, v.to_state FROM ledger_move v WHERE v.subject = m.subject
                    ORDER BY v.sequence DESC LIMIT 1) AS l
JOIN unnest(%(ended_machines)s::text[], %(ended_states)s::text[]) AS e (machine, state)
  ON (e.machine, e.state) = (l.machine, l.to_state)
WHERE m.net <> 0
GROUP BY m.book_id, m.subject, l.to_state
ORDER BY 1, 2
