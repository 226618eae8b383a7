"""The trial balance at the window's end, by GL code and asset: turnover of the window, and the balances that stand.

Of postings recorded until the run whose effective time lies before the window's end: the same next year.
"""

from reconciliation.artifact import Artifact

_QUERY = """
WITH effects AS (
    SELECT side.account_id, side.is_debit, p.amount_minor, x.effective_at >= %(from)s AS inside
    FROM ledger_transaction x
    JOIN ledger_posting p ON p.transaction_id = x.id AND p.kind IN ('posted', 'post')
    CROSS JOIN LATERAL (VALUES (p.debit_account_id, true), (p.credit_account_id, false)) AS side (account_id, is_debit)
    WHERE x.book_id = %(book)s AND x.effective_at < %(to)s AND x.recorded_at <= %(as_of)s
), per_account AS (
    SELECT e.account_id, coalesce(sum(e.amount_minor) FILTER (WHERE e.is_debit AND e.inside), 0) AS debits,
           coalesce(sum(e.amount_minor) FILTER (WHERE NOT e.is_debit AND e.inside), 0) AS credits,
           coalesce(sum(e.amount_minor) FILTER (WHERE e.is_debit), 0)
           - coalesce(sum(e.amount_minor) FILTER (WHERE NOT e.is_debit), 0) AS net
    FROM effects e GROUP BY e.account_id
), per_code AS (
    SELECT a.gl_code, a.account_class, a.asset, sum(s.debits) AS debits, sum(s.credits) AS credits, sum(s.net) AS net
    FROM per_account s JOIN ledger_account a ON a.id = s.account_id
    GROUP BY a.gl_code, a.account_class, a.asset
)
SELECT close_text(c.gl_code) AS gl_code,
       c.account_class,
       c.asset,
       close_amount(c.debits, g.scale) AS debits,
       close_amount(c.credits, g.scale) AS credits,
       close_amount(greatest(c.net, 0), g.scale) AS debit_balance,
       close_amount(greatest(-c.net, 0), g.scale) AS credit_balance
FROM per_code c JOIN ledger_asset g ON g.code = c.asset
ORDER BY c.gl_code, c.account_class, c.asset
"""

ARTIFACT = Artifact(
    place=9,
    name="trial_balance.csv",
    query=_QUERY,
    summed=(("asset", "debit_balance"), ("asset", "credit_balance")),
)
