"""The matched movement report (0Pools, "Daily finance close"): what moved per operator, pool and state, and how much of it
is matched."""

from reconciliation.artifact import Artifact

_QUERY = """
WITH movements AS (
    SELECT o.operator_id, o.pool_code AS lane, o.side AS flow, coalesce(m.to_state, o.state) AS status, o.source_asset,
           o.source_minor, o.target_asset, o.target_minor, o.reference
    FROM close_orders(%(environment)s, %(from)s, %(to)s) o
    LEFT JOIN LATERAL (SELECT m.to_state FROM ledger_move m
                       WHERE m.subject = o.reference AND m.moved_at <= %(as_of)s
                       ORDER BY m.sequence DESC LIMIT 1) m ON true
    UNION ALL
    SELECT i.operator_id, i.channel, i.kind, coalesce(m.to_state, i.state), i.asset,
           CASE WHEN coalesce(m.to_state, i.state) IN ('authorized', 'manual_review', 'settled')
                THEN coalesce(i.debit_minor, i.amount_minor) ELSE i.amount_minor END,
           i.asset, i.amount_minor, i.reference
    FROM close_intents(%(environment)s, %(from)s, %(to)s) i
    LEFT JOIN LATERAL (SELECT m.to_state FROM ledger_move m
                       WHERE m.subject = i.reference AND m.moved_at <= %(as_of)s
                       ORDER BY m.sequence DESC LIMIT 1) m ON true
    UNION ALL
    SELECT y.operator_id, y.provider_code, 'pay_in', y.kind, y.asset, y.gross_minor, y.asset,
           y.gross_minor - CASE y.kind WHEN 'collected' THEN y.fee_minor + y.vat_minor ELSE 0 END, y.reference
    FROM orders_payin y
    WHERE y.environment = %(environment)s AND y.created_at >= %(from)s AND y.created_at < %(to)s
), judged AS (
    SELECT v.*, CASE WHEN f.found THEN 'exception'
                     WHEN v.status IN ('processed', 'failed', 'compensated', 'settled', 'cancelled') THEN 'matched'
                     WHEN v.flow = 'pay_in' THEN 'matched' ELSE 'open' END AS reconciliation
    FROM movements v
    CROSS JOIN LATERAL (SELECT EXISTS (
        SELECT FROM reconciliation_closefinding c
        WHERE c.close_reference || '' = %(close)s AND c.order_reference = v.reference
          AND c.found AND c.state <> 'resolved')) f (found)
)
SELECT p.reference AS operator_id,
       close_text(j.lane) AS pool_id,
       j.flow,
       j.status,
       j.reconciliation,
       count(*) AS movements,
       j.source_asset,
       close_amount(sum(j.source_minor), coalesce(min(s.scale), 0::smallint)) AS source_amount,
       j.target_asset,
       close_amount(sum(j.target_minor), coalesce(min(g.scale), 0::smallint)) AS target_amount
FROM judged j
LEFT JOIN wallets_operator p ON p.id = j.operator_id
LEFT JOIN ledger_asset s ON s.code = j.source_asset
LEFT JOIN ledger_asset g ON g.code = j.target_asset
GROUP BY p.reference, j.lane, j.flow, j.status, j.reconciliation, j.source_asset, j.target_asset
ORDER BY p.reference, j.lane, j.flow, j.status, j.reconciliation, j.source_asset, j.target_asset
"""

ARTIFACT = Artifact(
    place=10,
    name="movement_report.csv",
    query=_QUERY,
    counted=("reconciliation",),
    summed=(("source_asset", "source_amount"), ("target_asset", "target_amount")),
    of_cases=True,
)
