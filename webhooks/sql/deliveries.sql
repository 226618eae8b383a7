-- Claim due deliveries with a lease, and write down what became of them. A lane is one endpoint and one aggregate.
-- As with the relay's queue, statistics cannot know how full it is: the functions say that indexes are used.

-- Lease up to p_limit due deliveries, at most so many per endpoint at a time (two of one that fails), in sequence
-- within a lane: a run of a lane is claimed from its beginning or not at all. Those that wait behind another are put
-- off and returned with leased = false. Nobody waits for anybody: rows that others hold are skipped.
CREATE FUNCTION webhooks_claim_deliveries(p_limit integer, p_per_endpoint integer, p_lease_seconds integer,
                                          p_token text, p_now timestamptz)
RETURNS TABLE (leased boolean, delivery_id bigint, endpoint_id bigint, environment text, aggregate text,
               attempt integer, claimed_at timestamptz, url text, secret text, disabled boolean,
               event_reference text, topic text, payload jsonb, recorded_at timestamptz, request_id text)
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
            e.reference::text, e.topic::text, e.payload, e.recorded_at, e.request_id::text
     FROM claimed AS d JOIN webhooks_endpoint AS p ON p.id = d.endpoint_id JOIN ledger_event AS e ON e.id = d.event_id
     ORDER BY d.endpoint_id, d.aggregate, d.sequence, d.id)
    UNION ALL
    SELECT false, put_off.id, NULL, NULL, NULL, NULL, v_now, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM put_off;
END $$;

-- Write down attempts, and move those deliveries whose lease is still ours; a lost lease records its attempt alone.
-- verdict: delivered · dead · retry (after `delay` seconds) · unsent (given back as if never claimed).
-- An endpoint is disabled when a result says so (`disable` is the reason), or when its failures have lasted too long.
CREATE FUNCTION webhooks_record_attempts(p_results jsonb, p_disable_after_seconds integer, p_now timestamptz,
                                         OUT delivered integer, OUT dead integer, OUT lost integer,
                                         OUT disabled bigint[])
LANGUAGE plpgsql VOLATILE SET enable_bitmapscan = off SET enable_seqscan = off AS $$
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_moves record;
    v_ids bigint[];
    v_ending bigint[];
    v_behind bigint[];
    v_owned bigint[];
BEGIN
    -- 1 lock the deliveries, and those that wait behind the ones that end, by id
    SELECT array_agg(r.id), array_agg(r.id) FILTER (WHERE r.verdict IN ('delivered', 'dead')) INTO v_ids, v_ending
    FROM jsonb_to_recordset(p_results) AS r (id bigint, verdict text);
    SELECT array_agg(waiting.id) INTO v_behind
    FROM webhooks_delivery AS d CROSS JOIN LATERAL webhooks_waiting_behind(d) AS waiting WHERE d.id = ANY (v_ending);
    PERFORM FROM webhooks_delivery WHERE id = ANY (v_ids || v_behind) ORDER BY id FOR UPDATE;

    -- 2 attempts
    INSERT INTO webhooks_deliveryattempt (delivery_id, number, started_at, duration_ms, http_status, failure, excerpt,
                                          request_id)
    SELECT r.id, r.number, r.started_at, r.duration_ms, r.http_status, r.failure, r.excerpt, r.request_id
    FROM jsonb_to_recordset(p_results) AS r (id bigint, number integer, started_at timestamptz, duration_ms integer,
         http_status integer, failure text, excerpt text, request_id text)
    WHERE r.started_at IS NOT NULL
    ON CONFLICT (delivery_id, number) DO NOTHING;

    -- 3 the deliveries whose lease is still ours
    WITH recorded AS (
        UPDATE webhooks_delivery AS d
        SET state = CASE WHEN r.verdict IN ('delivered', 'dead') THEN r.verdict ELSE d.state END,
            version = d.version + CASE WHEN r.verdict IN ('delivered', 'dead') THEN 1 ELSE 0 END,
            attempts = d.attempts - CASE WHEN r.verdict = 'unsent' THEN 1 ELSE 0 END,
            available_at = v_now + make_interval(secs => CASE WHEN EXISTS (
                SELECT FROM webhooks_endpoint AS p WHERE p.id = d.endpoint_id AND p.disabled_at IS NOT NULL)
                THEN 0 ELSE r.delay END),
            ended_at = CASE WHEN r.verdict IN ('delivered', 'dead') THEN v_now END,
            updated_at = v_now, lease_token = '', lease_until = NULL
        FROM jsonb_to_recordset(p_results) AS r (id bigint, token text, verdict text, delay double precision)
        WHERE d.id = ANY (v_ids) AND d.id = r.id AND d.lease_token = r.token  -- one that ended has no token
        RETURNING d.id, d.state
    )
    SELECT array_agg(id), count(*) FILTER (WHERE state = 'delivered'), count(*) FILTER (WHERE state = 'dead'),
           jsonb_array_length(p_results) - count(*)
    INTO v_owned, delivered, dead, lost FROM recorded;

    -- 4 the audit of those that ended
    FOR v_moves IN
        SELECT d.environment, jsonb_agg(jsonb_build_object(
            'operator_id', d.operator_id, 'machine', 'delivery', 'subject', d.reference, 'sequence', d.version,
            'from_state', 'pending', 'to_state', d.state, 'actor', 'deliveries', 'cause', r.cause,
            'evidence', jsonb_build_object('attempt', r.number, 'http_status', r.http_status),
            'request_id', r.request_id, 'event_reference', d.event_reference) ORDER BY d.id) AS moves
        FROM jsonb_to_recordset(p_results) AS r (id bigint, number integer, http_status integer, cause text,
             request_id text)
        JOIN webhooks_delivery AS d ON d.id = r.id
        WHERE d.id = ANY (v_owned) AND d.state <> 'pending'
        GROUP BY d.environment ORDER BY d.environment
    LOOP
        IF NOT record_moves(v_moves.environment, v_moves.moves, v_now) THEN
            RAISE EXCEPTION 'the business date of % is locked', v_moves.environment;
        END IF;
    END LOOP;

    -- 5 what was put off behind one that ended is due
    SELECT array_agg(waiting.id) INTO v_behind
    FROM webhooks_delivery AS d CROSS JOIN LATERAL webhooks_waiting_behind(d) AS waiting
    WHERE d.id = ANY (v_owned) AND d.state <> 'pending';
    UPDATE webhooks_delivery SET available_at = v_now
    WHERE id = ANY (v_behind) AND lease_token = '' AND available_at > v_now;

    -- 6 the endpoints' health
    disabled := webhooks_judge_endpoints(p_results, v_owned, p_disable_after_seconds, v_now);
END $$;

-- The first few pending deliveries behind one in its lane that have not been tried.
CREATE FUNCTION webhooks_waiting_behind(p_delivery webhooks_delivery) RETURNS TABLE (id bigint)
LANGUAGE sql STABLE AS $$
    SELECT d.id FROM webhooks_delivery AS d
    WHERE d.state = 'pending' AND d.endpoint_id = p_delivery.endpoint_id AND d.aggregate = p_delivery.aggregate
      AND d.sequence >= p_delivery.sequence AND d.id <> p_delivery.id AND d.attempts = 0
    ORDER BY d.sequence LIMIT 16
$$;

-- Remember since when an endpoint fails, and disable it when it is gone or has failed too long. Returns the disabled.
CREATE FUNCTION webhooks_judge_endpoints(p_results jsonb, p_deliveries bigint[], p_disable_after_seconds integer,
                                         p_now timestamptz)
RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_disabled bigint[];
BEGIN
    -- Most deliveries succeed at an endpoint that does not fail: those need no lock and no write.
    PERFORM FROM webhooks_endpoint WHERE id = ANY (ARRAY (
        SELECT p.id FROM jsonb_to_recordset(p_results) AS r (id bigint, succeeded boolean)
        JOIN webhooks_delivery AS d ON d.id = r.id JOIN webhooks_endpoint AS p ON p.id = d.endpoint_id
        WHERE d.id = ANY (p_deliveries) AND r.succeeded IS NOT NULL
          AND (NOT r.succeeded OR p.failing_since IS NOT NULL)
    )) ORDER BY id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN '{}';
    END IF;
    WITH judged AS (
        SELECT d.endpoint_id, bool_or(r.succeeded) AS succeeded, max(r.disable) AS disable
        FROM jsonb_to_recordset(p_results) AS r (id bigint, succeeded boolean, disable text)
        JOIN webhooks_delivery AS d ON d.id = r.id
        WHERE d.id = ANY (p_deliveries) AND r.succeeded IS NOT NULL
        GROUP BY d.endpoint_id
    ), changed AS (
        UPDATE webhooks_endpoint AS p
        SET failing_since = CASE WHEN judged.succeeded THEN NULL ELSE coalesce(p.failing_since, p_now) END,
            disabled_reason = CASE
                WHEN judged.disable IS NOT NULL THEN judged.disable
                WHEN NOT judged.succeeded AND p.failing_since <= p_now - make_interval(secs => p_disable_after_seconds)
                THEN 'five days without a success' ELSE '' END,
            disabled_at = CASE
                WHEN judged.disable IS NOT NULL THEN p_now
                WHEN NOT judged.succeeded AND p.failing_since <= p_now - make_interval(secs => p_disable_after_seconds)
                THEN p_now END
        FROM judged WHERE p.id = judged.endpoint_id AND p.disabled_at IS NULL
          AND (NOT judged.succeeded OR p.failing_since IS NOT NULL OR judged.disable IS NOT NULL)
        RETURNING p.id, p.disabled_at
    )
    SELECT coalesce(array_agg(id ORDER BY id) FILTER (WHERE disabled_at IS NOT NULL), '{}') INTO v_disabled FROM changed;
    RETURN v_disabled;
END $$;

-- Make all waiting deliveries of these endpoints due: those of a disabled endpoint are given up when claimed.
CREATE FUNCTION webhooks_hasten(p_endpoints bigint[], p_now timestamptz) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM webhooks_delivery
    WHERE state = 'pending' AND endpoint_id = ANY (p_endpoints) AND lease_token = '' ORDER BY id FOR UPDATE;
    UPDATE webhooks_delivery SET available_at = coalesce(p_now, clock_timestamp())
    WHERE state = 'pending' AND endpoint_id = ANY (p_endpoints) AND lease_token = ''
      AND available_at > coalesce(p_now, clock_timestamp());
END $$;
