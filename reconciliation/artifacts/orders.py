"""Order export: partner order id, user reference, created time, product state."""

from reconciliation.artifact import Artifact

_QUERY = """
SELECT close_text(o.partner_order_id) AS partner_order_id,
       close_text(o.user_reference) AS user_reference,
       close_time(o.created_at) AS created_time,
       coalesce(m.to_state, o.state) AS product_state,
       o.reference AS order_id,
       o.quote_reference AS quote_id,
       close_text(o.pool_code) AS pool_id,
       close_text(o.idempotency_key) AS idempotency_key,
       close_text(o.request_id) AS request_id,
       close_time(m.moved_at) AS state_time,
       o.source_asset,
       close_amount(o.source_minor, coalesce(s.scale, 0::smallint)) AS source_amount,
       o.target_asset,
       close_amount(o.target_minor, coalesce(t.scale, 0::smallint)) AS target_amount,
       p.reference AS operator_id,
       o.environment
FROM close_orders(%(environment)s, %(from)s, %(to)s) o
LEFT JOIN ledger_asset s ON s.code = o.source_asset
LEFT JOIN ledger_asset t ON t.code = o.target_asset
LEFT JOIN wallets_operator p ON p.id = o.operator_id
LEFT JOIN LATERAL (SELECT m.to_state, m.moved_at FROM ledger_move m
                   WHERE m.subject = o.reference AND m.moved_at <= %(as_of)s
                   ORDER BY m.sequence DESC LIMIT 1) m ON true
ORDER BY o.created_at, o.reference
"""

ARTIFACT = Artifact(
    place=1,
    name="orders.csv",
    query=_QUERY,
    counted=("product_state",),
    summed=(("source_asset", "source_amount"), ("target_asset", "target_amount")),
)
