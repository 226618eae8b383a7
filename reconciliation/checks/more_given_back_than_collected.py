"""A collection of which more was refunded and charged back than was collected: booked, since the provider moved it.

The event that went beyond is the break; what lies beyond is the amount at risk.
"""

from reconciliation.check import Check

_QUERY = """
WITH given AS (
    SELECT y.id, y.reference, y.operator_id, y.asset, y.kind, y.gross_minor, y.inbound_event, y.provider_transaction,
           c.reference AS collection, c.gross_minor AS collected, so_far.minor AS given_back
    FROM orders_payin y
    JOIN orders_payin c ON c.reference = y.collection
    CROSS JOIN LATERAL (SELECT sum(z.gross_minor) AS minor FROM orders_payin z
                        WHERE z.collection = y.collection AND z.id <= y.id) AS so_far
    WHERE y.environment = %(environment)s AND y.created_at >= %(from)s AND y.created_at < %(to)s AND y.collection <> ''
)
SELECT g.reference AS subject, '' AS order_reference, g.operator_id, g.asset,
       least(g.given_back - g.collected, g.gross_minor) AS amount_minor,
       jsonb_build_object('reason', g.kind || ' beyond what was collected', 'pay_in_id', g.reference,
                          'collection', g.collection, 'event_id', g.inbound_event,
                          'provider_transaction', g.provider_transaction, 'collected', g.collected,
                          'given_back', g.given_back) AS detail
FROM given g
WHERE g.given_back > g.collected
"""

CHECK = Check(
    place=16,
    name="more_given_back_than_collected",
    title="More given back than collected",
    meaning="A payment was refunded and charged back as well, or refunded twice.",
    first_action="Dispute it with the provider by its transaction; then adjust, or accept it with a reason.",
    owner="finance",
    point=3,
    query=_QUERY,
)
