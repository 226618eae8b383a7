-- The relay's three statements (DESIGN, Events). They run in one transaction; each sees what was committed before it.
-- A queue is empty one minute and full the next: what statistics say of it is wrong either way, so the functions that
-- read it say themselves that it is read by its indexes.

-- 1 Take the oldest due rows and try the advisory locks of their aggregates; return those that are ours.
CREATE FUNCTION webhooks_lock_aggregates(p_rows integer, p_now timestamptz)
RETURNS text[] LANGUAGE plpgsql VOLATILE SET enable_bitmapscan = off SET enable_seqscan = off AS $$
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_locked text[];
BEGIN
    WITH oldest AS MATERIALIZED (
        SELECT aggregate, available_at, event_id FROM ledger_queuedevent
        WHERE dead_at IS NULL AND available_at <= v_now
        ORDER BY available_at, event_id LIMIT p_rows
    ), aggregates AS MATERIALIZED (
        SELECT aggregate FROM oldest GROUP BY aggregate ORDER BY min(available_at), min(event_id)
    )
    SELECT array_agg(aggregate) INTO v_locked FROM aggregates
    WHERE pg_try_advisory_xact_lock(hashtextextended(aggregate, 8));
    RETURN coalesce(v_locked, '{}');
END $$;

-- 2 Take those aggregates' rows in sequence, up to the first that is not due and to a cap for each, and delete them.
-- Rows behind one that is not due wait as long as it does. `heard` are the events whose topic somebody listens to.
CREATE FUNCTION webhooks_take_events(p_aggregates text[], p_cap integer, p_topics text[], p_now timestamptz,
                                     OUT taken bigint[], OUT deferred integer, OUT heard jsonb)
LANGUAGE plpgsql VOLATILE SET enable_bitmapscan = off SET enable_seqscan = off AS $$
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_behind bigint[];
BEGIN
    SELECT coalesce(array_agg(event_id) FILTER (WHERE clear), '{}'),
           coalesce(array_agg(event_id) FILTER (WHERE NOT clear AND available_at <= v_now), '{}')
    INTO taken, v_behind
    FROM (
        SELECT q.event_id, q.available_at,
               bool_and(q.available_at <= v_now) OVER (PARTITION BY a.aggregate ORDER BY q.sequence) AS clear
        FROM unnest(p_aggregates) AS a (aggregate)
        CROSS JOIN LATERAL (
            SELECT event_id, sequence, available_at FROM ledger_queuedevent
            WHERE aggregate = a.aggregate AND dead_at IS NULL ORDER BY sequence LIMIT p_cap
        ) AS q
    ) AS judged;
    DELETE FROM ledger_queuedevent WHERE event_id = ANY (taken);
    UPDATE ledger_queuedevent AS behind
    SET available_at = (
        SELECT max(ahead.available_at) FROM ledger_queuedevent AS ahead
        WHERE ahead.aggregate = behind.aggregate AND ahead.sequence < behind.sequence AND ahead.dead_at IS NULL)
    WHERE event_id = ANY (v_behind);
    deferred := cardinality(v_behind);
    heard := '[]';
    IF cardinality(p_topics) > 0 THEN
        SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.id), '[]') INTO heard FROM ledger_event AS e
        WHERE e.id = ANY (taken)
          AND (e.topic = ANY (p_topics) OR split_part(e.topic, '.', 1) || '.*' = ANY (p_topics));
    END IF;
END $$;

-- 3 Write a delivery of each public event for each enabled endpoint of its operator and environment that wants its
-- topic, the audit rows of their births, and the events' places in the feed. Returns the number of deliveries.
CREATE FUNCTION webhooks_fan_out(p_events bigint[], p_now timestamptz)
RETURNS integer LANGUAGE plpgsql VOLATILE SET enable_bitmapscan = off SET enable_seqscan = off AS $$
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_born integer := 0;
    v_births record;
BEGIN
    FOR v_births IN
        WITH born AS (
            -- The reference begins with the event's instant; the rest names the pair, which therefore exists once.
            INSERT INTO webhooks_delivery (reference, environment, operator_id, version, created_at, updated_at, state,
                endpoint_id, event_id, event_reference, topic, aggregate, sequence, attempts, available_at, lease_token)
            SELECT 'dlv_' || substr(e.reference, 5, 10) || substr(md5(e.reference || p.reference), 1, 16),
                   e.environment, e.operator_id, 1, v_now, v_now, 'pending',
                   p.id, e.id, e.reference, e.topic, e.aggregate, e.sequence, 0, v_now, ''
            FROM ledger_event AS e
            JOIN webhooks_endpoint AS p ON p.operator_id = e.operator_id AND p.environment = e.environment
            WHERE e.id = ANY (p_events) AND e.public AND p.disabled_at IS NULL
              AND (p.topics = '[]' OR jsonb_exists(p.topics, e.topic)
                   OR jsonb_exists(p.topics, split_part(e.topic, '.', 1) || '.*'))
            ORDER BY e.id, p.id
            RETURNING environment, operator_id, reference, event_id, event_reference
        )
        SELECT born.environment, count(*)::integer AS number, jsonb_agg(jsonb_build_object(
            'operator_id', born.operator_id, 'machine', 'delivery', 'subject', born.reference, 'sequence', 1,
            'from_state', '', 'to_state', 'pending', 'actor', 'relay', 'cause', 'event relayed',
            'request_id', e.request_id, 'event_reference', born.event_reference)) AS moves
        FROM born JOIN ledger_event AS e ON e.id = born.event_id
        GROUP BY born.environment ORDER BY born.environment
    LOOP
        IF NOT record_moves(v_births.environment, v_births.moves, v_now) THEN
            RAISE EXCEPTION 'the business date of % is locked', v_births.environment;
        END IF;
        v_born := v_born + v_births.number;
    END LOOP;
    PERFORM webhooks_publish(p_events);
    RETURN v_born;
END $$;

-- Give public events their places in the feed. The lock is held until commit: places become visible in order.
CREATE FUNCTION webhooks_publish(p_events bigint[]) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_event WHERE id = ANY (p_events) AND public AND operator_id IS NOT NULL) THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('feed', 8));
        INSERT INTO webhooks_feedentry (event_id, operator_id, environment)
        SELECT id, operator_id, environment FROM ledger_event
        WHERE id = ANY (p_events) AND public AND operator_id IS NOT NULL ORDER BY id;
    END IF;
END $$;

-- After a failure: try the event again later, or give it up; the rows behind a given-up one pass.
CREATE FUNCTION webhooks_postpone_event(p_event bigint, p_delay_seconds double precision, p_cap integer, p_error text,
                                        p_now timestamptz, OUT dead boolean)
LANGUAGE sql VOLATILE AS $$
    UPDATE ledger_queuedevent
    SET attempts = attempts + 1,
        last_error = p_error,
        available_at = coalesce(p_now, clock_timestamp()) + make_interval(secs => p_delay_seconds),
        dead_at = CASE WHEN attempts + 1 >= p_cap THEN coalesce(p_now, clock_timestamp()) END
    WHERE event_id = p_event
    RETURNING dead_at IS NOT NULL
$$;
