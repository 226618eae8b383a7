-- The events of some subjects, the oldest first, each with where it went and each attempt at that.
SELECT e.reference, e.topic, e.aggregate, e.sequence, e.recorded_at,
       d.reference, d.state, d.ended_at, a.number, a.started_at, a.duration_ms, a.http_status
FROM (
    SELECT * FROM ledger_event WHERE aggregate = ANY (%(subjects)s) AND (public OR %(inside)s)
    ORDER BY recorded_at, id LIMIT %(most)s
) AS e
LEFT JOIN LATERAL (SELECT * FROM webhooks_delivery WHERE event_id = e.id ORDER BY id LIMIT %(most)s) AS d ON true
LEFT JOIN LATERAL (
    SELECT * FROM webhooks_deliveryattempt WHERE delivery_id = d.id ORDER BY number LIMIT %(most)s
) AS a ON true
ORDER BY e.recorded_at, e.id, d.id, a.number
