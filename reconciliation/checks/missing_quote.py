"""An order whose quote id is absent or names no quote: ours, or one that only a line of an operator's statement names."""

from reconciliation.check import Check

_QUERY = """
SELECT o.reference AS subject, o.reference AS order_reference, o.operator_id, o.source_asset AS asset,
       o.source_minor AS amount_minor,
       jsonb_build_object('reason', CASE o.quote_reference WHEN '' THEN 'quote id absent' ELSE 'no such quote' END,
                          'order_id', o.reference, 'partner_order_id', o.partner_order_id,
                          'quote_id', o.quote_reference, 'request_id', o.request_id) AS detail
FROM close_orders(%(environment)s, %(from)s, %(to)s) o
WHERE NOT EXISTS (SELECT FROM orders_quote q
                  WHERE q.reference = o.quote_reference AND q.environment = o.environment)
UNION ALL
SELECT l.reference, '', l.operator_id, l.asset, abs(l.amount_minor),
       jsonb_build_object('reason', 'the operator''s statement names an order that has no quote here', 'source', s.code,
                          'line_id', l.line_id, 'partner_order_id', l.partner_order_id, 'key', nullif(l.our_key, ''))
FROM close_statement_lines(%(environment)s, %(from)s, %(to)s) l
JOIN reconciliation_statementsource s ON s.id = l.source_id AND s.kind = 'operator'
WHERE l.partner_order_id <> '' AND NOT EXISTS (
    SELECT FROM orders_order o
    WHERE o.partner_order_id = l.partner_order_id AND o.operator_id = l.operator_id AND o.environment = l.environment)
  AND NOT EXISTS (
    SELECT FROM reconciliation_statementmatch m WHERE m.line_id = l.id AND m.state = 'standing')
"""

CHECK = Check(
    place=1,
    name="missing_quote",
    title="Missing quote",
    meaning="Partner order never received or stored a quote id.",
    first_action="Check server logs and request id.",
    owner="ops",
    point=2,
    query=_QUERY,
)
