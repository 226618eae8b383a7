"""Quote export: quote id, pool id, source amount, target amount, expiry, accepted time."""

from reconciliation.artifact import Artifact

_QUERY = """
SELECT q.reference AS quote_id,
       close_text(q.pool_code) AS pool_id,
       close_amount(q.source_minor, coalesce(s.scale, 0::smallint)) AS source_amount,
       close_amount(q.target_minor, coalesce(t.scale, 0::smallint)) AS target_amount,
       close_time(q.expires_at) AS expiry,
       close_time(CASE WHEN q.accepted_at <= %(as_of)s THEN q.accepted_at END) AS accepted_time,
       q.source_asset,
       q.target_asset,
       close_amount(q.fee_minor, coalesce(s.scale, 0::smallint)) AS fee_amount,
       close_amount(q.vat_minor, coalesce(s.scale, 0::smallint)) AS vat_amount,
       coalesce(m.to_state, q.state) AS status,
       CASE WHEN q.accepted_at <= %(as_of)s THEN q.order_reference END AS order_id,
       close_text(q.user_reference) AS user_reference,
       close_time(q.created_at) AS created_time,
       p.reference AS operator_id,
       q.environment
FROM close_quotes(%(environment)s, %(from)s, %(to)s) q
LEFT JOIN ledger_asset s ON s.code = q.source_asset
LEFT JOIN ledger_asset t ON t.code = q.target_asset
LEFT JOIN wallets_operator p ON p.id = q.operator_id
LEFT JOIN LATERAL (SELECT m.to_state FROM ledger_move m
                   WHERE m.subject = q.reference AND m.moved_at <= %(as_of)s
                   ORDER BY m.sequence DESC LIMIT 1) m ON true
ORDER BY q.created_at, q.reference
"""

ARTIFACT = Artifact(
    place=2,
    name="quotes.csv",
    query=_QUERY,
    counted=("status",),
    summed=(("source_asset", "source_amount"), ("target_asset", "target_amount")),
)
