"""The seed's example reconciliation table: an order with its pool, quote, trade, amounts, request and event, by ids.

`fiat_amount` is the wallet's side, `crypto_amount` the position's. `reconciliation` is what this close made of the order.

Findings are looked up by their order alone: a plan by close would read all of a bad day's for each of its orders.
"""

from reconciliation.artifact import Artifact

_QUERY = """
SELECT o.reference AS order_id,
       close_text(o.pool_code) AS pool_id,
       close_text(o.quote_reference) AS quote_id,
       t.reference AS transact_id,
       coalesce(tm.to_state, t.state) AS status,
       CASE o.side WHEN 'buy' THEN close_amount(o.source_minor, coalesce(s.scale, 0::smallint))
                   ELSE close_amount(o.target_minor, coalesce(g.scale, 0::smallint)) END AS fiat_amount,
       CASE o.side WHEN 'buy' THEN close_amount(o.target_minor, coalesce(g.scale, 0::smallint))
                   ELSE close_amount(o.source_minor, coalesce(s.scale, 0::smallint)) END AS crypto_amount,
       close_text(o.request_id) AS request_id,
       e.reference AS event_id,
       close_text(o.partner_order_id) AS partner_order_id,
       CASE o.side WHEN 'buy' THEN o.source_asset ELSE o.target_asset END AS fiat_asset,
       CASE o.side WHEN 'buy' THEN o.target_asset ELSE o.source_asset END AS crypto_asset,
       o.side,
       coalesce(om.to_state, o.state) AS product_state,
       CASE WHEN f.cases IS NOT NULL THEN 'exception'
            WHEN coalesce(om.to_state, o.state) IN ('processed', 'failed', 'compensated') THEN 'matched'
            ELSE 'open' END AS reconciliation,
       f.cases AS exception_ids,
       p.reference AS operator_id,
       o.environment
FROM close_orders(%(environment)s, %(from)s, %(to)s) o
LEFT JOIN orders_trade t ON t.order_reference = o.reference AND t.created_at <= %(as_of)s
LEFT JOIN ledger_asset s ON s.code = o.source_asset
LEFT JOIN ledger_asset g ON g.code = o.target_asset
LEFT JOIN wallets_operator p ON p.id = o.operator_id
LEFT JOIN LATERAL (SELECT m.to_state FROM ledger_move m
                   WHERE m.subject = o.reference AND m.moved_at <= %(as_of)s
                   ORDER BY m.sequence DESC LIMIT 1) om ON true
LEFT JOIN LATERAL (SELECT m.to_state, m.sequence FROM ledger_move m
                   WHERE m.subject = t.reference AND m.moved_at <= %(as_of)s
                   ORDER BY m.sequence DESC LIMIT 1) tm ON true
LEFT JOIN ledger_event_ever e ON e.aggregate = t.reference AND e.sequence = tm.sequence
LEFT JOIN LATERAL (SELECT string_agg(c.case_reference, ' ' ORDER BY c.case_reference) AS cases
                   FROM reconciliation_closefinding c
                   WHERE c.close_reference || '' = %(close)s AND c.order_reference = o.reference
                     AND c.found AND c.state <> 'resolved') f ON true
ORDER BY o.created_at, o.reference, t.id
"""

ARTIFACT = Artifact(
    place=6,
    name="reconciliation.csv",
    query=_QUERY,
    counted=("status", "reconciliation"),
    summed=(("fiat_asset", "fiat_amount"), ("crypto_asset", "crypto_amount")),
    of_cases=True,
)
