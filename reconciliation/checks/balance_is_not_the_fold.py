"""An account's balance is not the fold of its postings (rule L3). Of each account that the window's postings touch, whole.

What locked dates moved was kept when they were locked; only what lies outside them is summed from the postings. An account
that does not agree with that is summed once more from its very first posting, and named when it does not agree then either. At
risk is by how much it is off, net or on the side that is off most.
"""

from reconciliation.check import Check
from reconciliation.day_movements import SINCE

_QUERY = f"""
WITH since AS (
    SELECT m.* FROM ({SINCE}) m WHERE m.touched
), kept AS (
    SELECT k.account_id, sum(k.debits_posted) AS dp, sum(k.credits_posted) AS cp, sum(k.debits_pending) AS dq,
           sum(k.credits_pending) AS cq
    FROM reconciliation_daymovement k
    WHERE k.book_id = %(book)s AND k.window_from >= %(kept_from)s AND k.window_to <= %(kept_to)s
      AND k.account_id IN (SELECT s.account_id FROM since s)
    GROUP BY k.account_id
), suspects AS MATERIALIZED (
    SELECT b.account_id
    FROM since s
    LEFT JOIN kept k ON k.account_id = s.account_id
    JOIN ledger_balance b ON b.account_id = s.account_id
    WHERE (b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending) IS DISTINCT FROM (
        s.dp + coalesce(k.dp, 0), s.cp + coalesce(k.cp, 0), s.dq + coalesce(k.dq, 0), s.cq + coalesce(k.cq, 0))
    LIMIT 10001
), effects AS (
    SELECT p.debit_account_id AS account_id, CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END AS dp,
           0 AS cp, CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor ELSE -q.amount_minor END AS dq,
           0 AS cq
    FROM suspects s JOIN ledger_posting p ON p.debit_account_id = s.account_id
    LEFT JOIN ledger_posting q ON q.id = p.pending_id
    UNION ALL
    SELECT p.credit_account_id, 0, CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END, 0,
           CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor ELSE -q.amount_minor END
    FROM suspects s JOIN ledger_posting p ON p.credit_account_id = s.account_id
    LEFT JOIN ledger_posting q ON q.id = p.pending_id
), folded AS (
    SELECT account_id, sum(dp) AS dp, sum(cp) AS cp, sum(dq) AS dq, sum(cq) AS cq FROM effects GROUP BY account_id
)
SELECT 'account:' || b.account_id AS subject, '' AS order_reference, NULL::bigint AS operator_id, b.asset,
       greatest(abs((b.credits_posted - b.debits_posted) - (f.cp - f.dp)), abs(b.debits_posted - f.dp),
                abs(b.credits_posted - f.cp), abs(b.debits_pending - f.dq), abs(b.credits_pending - f.cq)) AS amount_minor,
       jsonb_build_object('reason', 'the balance is not the sum of its postings', 'address', b.address,
                          'difference', jsonb_build_array(b.debits_posted - f.dp, b.credits_posted - f.cp,
                                                          b.debits_pending - f.dq, b.credits_pending - f.cq),
                          'balance', jsonb_build_array(b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending),
                          'postings', jsonb_build_array(f.dp, f.cp, f.dq, f.cq)) AS detail
FROM folded f
JOIN ledger_balance b ON b.account_id = f.account_id
WHERE (b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending) IS DISTINCT FROM (f.dp, f.cp, f.dq, f.cq)
"""  # noqa: S608  our own text

CHECK = Check(
    place=14,
    name="balance_is_not_the_fold",
    title="Balance is not the fold",
    meaning="An account says another balance than its postings add up to.",
    first_action="Run verify_ledger: it names the account, and the blocks that still prove what was posted.",
    owner="finance",
    point=3,
    passing=("balance", "postings"),
    suspects=(("suspects", 10_000),),
    query=_QUERY,
)
