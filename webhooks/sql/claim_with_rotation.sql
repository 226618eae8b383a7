-- As before, with the secrets that still sign beside the present one, the kind of endpoint, and the event's place.

-- Lease up to p_limit due deliveries, at most so many per endpoint at a time (two of one that fails), in sequence
-- within a lane: a run of a lane is claimed from its beginning or not at all. Those that wait behind another are put
-- off and returned with leased = false. Nobody waits for anybody: rows that others hold are skipped.
DROP FUNCTION webhooks_claim_deliveries;
CREATE FUNCTION webhooks_claim_deliveries(p_limit integer, p_per_endpoint integer, p_lease_seconds integer,
                                          p_token text, p_now timestamptz)
RETURNS TABLE (leased boolean, delivery_id bigint, endpoint_id bigint, environment text, aggregate text,
               attempt integer, claimed_at timestamptz, url text, secret text, disabled boolean,
               event_reference text, topic text, payload jsonb, recorded_at timestamptz, request_id text,
               sequence integer, kind text, retired_secrets text[])
LANGUAGE plpgsql VOLATILE SET enable_bitmapscan = off SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
BEGIN
    RETURN QUERY
    WITH candidates AS MATERIALIZED (
        SELECT due.* FROM webhooks_endpoint AS p
        CROSS JOIN LATERAL (
            SELECT d.id, d.endpoint_id, d.aggregate, d.sequence, d.available_at FROM webhooks_delivery AS d
            WHERE d.state = 'pending' AND d.endpoint_id = p.id AND d.available_at <= v_now
            ORDER BY d.available_at, d.id
            LIMIT CASE WHEN p.disabled_at IS NOT NULL THEN p_limit ELSE greatest(0,
                CASE WHEN p.failing_since IS NULL THEN p_per_endpoint ELSE 2 END
                - (SELECT count(*) FROM webhooks_delivery AS busy
                   WHERE busy.endpoint_id = p.id AND busy.state = 'pending' AND busy.lease_token <> ''
                     AND busy.lease_until > v_now)) END
            FOR UPDATE SKIP LOCKED
        ) AS due
    ), judged AS MATERIALIZED (
        SELECT c.*, blocker.until, min(c.available_at) OVER (PARTITION BY c.endpoint_id, c.aggregate) AS lane_since
        FROM candidates AS c
        LEFT JOIN LATERAL (
            SELECT CASE WHEN d.lease_token <> '' OR d.available_at <= v_now THEN v_now + interval '500 ms'
                        ELSE d.available_at END AS until
            FROM webhooks_delivery AS d
            WHERE d.state = 'pending' AND d.endpoint_id = c.endpoint_id AND d.aggregate = c.aggregate
              AND d.sequence < c.sequence AND d.id NOT IN (SELECT id FROM candidates)
            ORDER BY d.sequence LIMIT 1
        ) AS blocker ON true
    ), put_off AS (
        UPDATE webhooks_delivery AS d SET available_at = judged.until FROM judged
        WHERE d.id = judged.id AND judged.until IS NOT NULL RETURNING d.id
    ), chosen AS (
        SELECT id FROM judged WHERE until IS NULL
        ORDER BY lane_since, endpoint_id, aggregate, sequence, id LIMIT p_limit
    ), claimed AS (
        UPDATE webhooks_delivery AS d
        SET attempts = d.attempts + 1, lease_token = p_token,
            lease_until = v_now + make_interval(secs => p_lease_seconds),
            available_at = v_now + make_interval(secs => p_lease_seconds)
        FROM chosen WHERE d.id = chosen.id
        RETURNING d.*
    )
    (SELECT true, d.id, d.endpoint_id, d.environment::text, d.aggregate::text, d.attempts::integer, v_now,
            p.url::text, p.secret::text, p.disabled_at IS NOT NULL,
            e.reference::text, e.topic::text, e.payload, e.recorded_at, e.request_id::text, e.sequence::integer, p.kind::text,
            ARRAY (SELECT r.secret::text FROM webhooks_retiredsecret AS r
                   WHERE r.endpoint_id = p.id AND r.ends_at > v_now ORDER BY r.id DESC)
     FROM claimed AS d JOIN webhooks_endpoint AS p ON p.id = d.endpoint_id JOIN ledger_event AS e ON e.id = d.event_id
     ORDER BY d.endpoint_id, d.aggregate, d.sequence, d.id)
    UNION ALL
    SELECT false, put_off.id, NULL, NULL, NULL, NULL, v_now, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           NULL, NULL FROM put_off;
END $$;
