"""Ledger export: ledger id, trade id, entry type, asset, amount, effective time.

Pending, posted and voiding postings alike are rows; the entry type is the event type and its phase.
"""

from reconciliation.artifact import Artifact

_QUERY = """
SELECT 'led_' || replace(p.id::text, '-', '') AS ledger_id,
       coalesce(x.refs ->> 'trade', '') AS trade_id,
       x.event_type || ':' || x.phase AS entry_type,
       p.asset,
       close_amount(p.amount_minor, coalesce(a.scale, 0::smallint)) AS amount,
       close_time(x.effective_at) AS effective_time,
       p.kind AS posting_kind,
       close_text(d.address) AS debit_account,
       close_text(c.address) AS credit_account,
       close_text(x.subject) AS order_id,
       coalesce(x.refs ->> 'quote', '') AS quote_id,
       close_text(x.key) AS ledger_key,
       close_time(x.recorded_at) AS recorded_time,
       close_text(x.request_id) AS request_id
FROM ledger_transaction x
JOIN ledger_posting p ON p.transaction_id = x.id
LEFT JOIN ledger_asset a ON a.code = p.asset
LEFT JOIN ledger_account d ON d.id = p.debit_account_id
LEFT JOIN ledger_account c ON c.id = p.credit_account_id
WHERE x.book_id = %(book)s AND x.effective_at >= %(from)s AND x.effective_at < %(to)s
ORDER BY x.effective_at, x.id, p.position
"""

ARTIFACT = Artifact(
    place=5, name="ledger.csv", query=_QUERY, counted=("entry_type", "posting_kind"), summed=(("asset", "amount"),)
)
