"""An order whose quote id is absent or names no quote: ours, or a line of an operator's statement with a partner order id.

A line says its quote id itself, or else is of the order that has its partner order id.
"""

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
SELECT l.reference, coalesce(o.reference, ''), l.operator_id, l.asset, abs(l.amount_minor),
       jsonb_build_object('reason', CASE WHEN l.quote_reference <> '' THEN 'no such quote'
                                         WHEN o.reference IS NULL THEN 'no such partner order'
                                         ELSE 'quote id absent' END,
                          'statement_line', l.line_id, 'order_id', o.reference, 'partner_order_id', l.partner_order_id,
                          'quote_id', l.quote_reference, 'booked_on', l.booked_on)
FROM close_statement_lines(%(environment)s, %(from)s, %(to)s) l
LEFT JOIN orders_order o ON o.partner_order_id = l.partner_order_id AND o.operator_id = l.operator_id
                        AND o.environment = l.environment
WHERE l.partner_order_id <> '' AND l.operator_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM orders_quote q
                  WHERE q.reference = coalesce(nullif(l.quote_reference, ''), o.quote_reference)
                    AND q.operator_id = l.operator_id AND q.environment = l.environment)
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
