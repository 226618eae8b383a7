"""Event export: event id, transact id, status, received time, processed time.

For a built-in pool our own event about the trade stands for the provider's. It is received when it is recorded, and
processed when the last endpoint that takes it has it; one that no endpoint takes is processed by the commit that
recorded it. Without a processed time it is a gap.
"""

from reconciliation.artifact import Artifact

_QUERY = """
SELECT e.reference AS event_id,
       e.aggregate AS transact_id,
       e.payload ->> 'status' AS status,
       close_time(e.recorded_at) AS received_time,
       close_time(CASE WHEN d.deliveries IS NULL THEN e.recorded_at
                       WHEN d.delivered = d.endpoints THEN d.delivered_at END) AS processed_time,
       e.topic,
       close_text(e.request_id) AS request_id,
       e.payload ->> 'order_id' AS order_id,
       e.payload ->> 'quote_id' AS quote_id,
       p.reference AS operator_id,
       e.environment
FROM ledger_event_ever e
LEFT JOIN wallets_operator p ON p.id = e.operator_id
LEFT JOIN LATERAL (
    SELECT sum(x.deliveries) AS deliveries, count(*) AS endpoints, count(x.delivered_at) AS delivered,
           max(x.delivered_at) AS delivered_at
    FROM (SELECT count(*) AS deliveries,
                 min(d.ended_at) FILTER (WHERE d.state = 'delivered' AND d.ended_at <= %(as_of)s) AS delivered_at
          FROM webhooks_delivery d WHERE d.event_id = e.id AND d.created_at <= %(as_of)s
          GROUP BY d.endpoint_id) x) d ON true
WHERE e.environment = %(environment)s AND e.recorded_at >= %(from)s AND e.recorded_at < %(to)s
  AND e.topic LIKE 'trade.%%'
ORDER BY e.recorded_at, e.aggregate, e.sequence
"""

ARTIFACT = Artifact(place=4, name="events.csv", query=_QUERY, counted=("status",))
