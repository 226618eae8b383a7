"""Trade export: transact id, quote id, idempotency key, current status, terminal time."""

from reconciliation.artifact import Artifact

_QUERY = """
SELECT t.reference AS transact_id,
       t.quote_reference AS quote_id,
       close_text(t.idempotency_key) AS idempotency_key,
       coalesce(m.to_state, t.state) AS current_status,
       close_time(CASE WHEN m.to_state <> 'reserved' THEN m.moved_at END) AS terminal_time,
       t.order_reference AS order_id,
       close_text(o.partner_order_id) AS partner_order_id,
       close_text(t.pool_code) AS pool_id,
       close_time(t.created_at) AS created_time,
       p.reference AS operator_id,
       t.environment
FROM close_trades(%(environment)s, %(from)s, %(to)s) t
LEFT JOIN orders_order o ON o.reference = t.order_reference
LEFT JOIN wallets_operator p ON p.id = t.operator_id
LEFT JOIN LATERAL (SELECT m.to_state, m.moved_at FROM ledger_move m
                   WHERE m.subject = t.reference AND m.moved_at <= %(as_of)s
                   ORDER BY m.sequence DESC LIMIT 1) m ON true
ORDER BY t.created_at, t.reference
"""

ARTIFACT = Artifact(place=3, name="trades.csv", query=_QUERY, counted=("current_status",))
