"""An account's balance is not the fold of its postings (rule L3). Of each account that the window's postings touch, whole."""

from reconciliation.check import Check

_QUERY = """
WITH touched AS MATERIALIZED (
    SELECT DISTINCT side.account_id
    FROM ledger_transaction x
    JOIN ledger_posting p ON p.transaction_id = x.id
    CROSS JOIN LATERAL (VALUES (p.debit_account_id), (p.credit_account_id)) AS side (account_id)
    WHERE x.book_id = %(book)s AND x.effective_at >= %(from)s AND x.effective_at < %(to)s
), effects AS (
    SELECT p.debit_account_id AS account_id, CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END AS dp,
           0 AS cp, CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor ELSE -q.amount_minor END AS dq,
           0 AS cq
    FROM ledger_posting p LEFT JOIN ledger_posting q ON q.id = p.pending_id
    WHERE p.debit_account_id IN (SELECT account_id FROM touched)
    UNION ALL
    SELECT p.credit_account_id, 0, CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END, 0,
           CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor ELSE -q.amount_minor END
    FROM ledger_posting p LEFT JOIN ledger_posting q ON q.id = p.pending_id
    WHERE p.credit_account_id IN (SELECT account_id FROM touched)
), folded AS (
    SELECT account_id, sum(dp) AS dp, sum(cp) AS cp, sum(dq) AS dq, sum(cq) AS cq FROM effects GROUP BY account_id
)
SELECT 'account:' || b.account_id AS subject, '' AS order_reference, NULL::bigint AS operator_id, b.asset,
       abs((b.credits_posted - b.debits_posted) - (f.cp - f.dp)) AS amount_minor,
       jsonb_build_object('reason', 'the balance is not the sum of its postings', 'address', b.address,
                          'balance', jsonb_build_array(b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending),
                          'postings', jsonb_build_array(f.dp, f.cp, f.dq, f.cq)) AS detail
FROM folded f
JOIN ledger_balance b ON b.account_id = f.account_id
WHERE (b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending) IS DISTINCT FROM (f.dp, f.cp, f.dq, f.cq)
"""

CHECK = Check(
    place=14,
    name="balance_is_not_the_fold",
    title="Balance is not the fold",
    meaning="An account says another balance than its postings add up to.",
    first_action="Run verify_ledger: it names the account, and the blocks that still prove what was posted.",
    owner="finance",
    point=3,
    query=_QUERY,
)
