"""A line of a bank's or operator's statement that no transaction of our book stands behind."""

from reconciliation.check import Check

_QUERY = """
SELECT l.reference AS subject, coalesce(o.reference, '') AS order_reference, l.operator_id, l.asset,
       abs(l.amount_minor) AS amount_minor,
       jsonb_build_object('reason', coalesce(nullif(l.unmatched_because, ''), 'nobody has looked for it yet'),
                          'source', s.code, 'line_id', l.line_id, 'booked_on', l.booked_on,
                          'direction', CASE WHEN l.amount_minor > 0 THEN 'in' ELSE 'out' END,
                          'partner_order_id', l.partner_order_id, 'our_key', l.our_key,
                          'our_reference', l.our_reference, 'provider_reference', l.provider_reference,
                          'order_id', o.reference, 'remote_operation', r.key, 'remote_state', r.state) AS detail
FROM close_statement_lines(%(environment)s, %(from)s, %(to)s) l
JOIN reconciliation_statementsource s ON s.id = l.source_id
LEFT JOIN orders_order o ON l.partner_order_id <> '' AND o.partner_order_id = l.partner_order_id
                        AND o.operator_id = l.operator_id AND o.environment = l.environment
LEFT JOIN wallets_remoteoperation r ON r.key = l.our_key AND r.environment = l.environment
WHERE NOT EXISTS (SELECT FROM reconciliation_statementmatch m WHERE m.line_id = l.id AND m.state = 'standing')
"""

CHECK = Check(
    place=40,
    name="statement_line_unmatched",
    title="Statement line unmatched",
    meaning="A bank or operator shows a movement that our book does not.",
    first_action="Look for it by its ids; then match it by hand, or book what is missing.",
    owner="finance",
    query=_QUERY,
)
