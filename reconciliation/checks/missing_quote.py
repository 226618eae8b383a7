"""An order whose quote id is absent or names no quote."""

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
