-- As in relay.sql, but that an aggregate's rows are surely read by its own index. The index of what is due has
-- dead_at IS NULL for its condition: with statistics of an empty queue the planner took that one, and read the whole
-- queue for each aggregate (33 ms instead of 0.2 ms a batch at 20,000 rows). Written as below it does not fit.
CREATE OR REPLACE FUNCTION webhooks_take_events(p_aggregates text[], p_cap integer, p_topics text[], p_now timestamptz,
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
            WHERE aggregate = a.aggregate AND coalesce(dead_at, 'infinity') = 'infinity' ORDER BY sequence LIMIT p_cap
        ) AS q
    ) AS judged;
    DELETE FROM ledger_queuedevent WHERE event_id = ANY (taken);
    deferred := cardinality(v_behind);
    IF deferred > 0 THEN
        UPDATE ledger_queuedevent AS behind
        SET available_at = (
            SELECT max(ahead.available_at) FROM ledger_queuedevent AS ahead
            WHERE ahead.aggregate = behind.aggregate AND ahead.sequence < behind.sequence
              AND coalesce(ahead.dead_at, 'infinity') = 'infinity')
        WHERE event_id = ANY (v_behind);
    END IF;
    heard := '[]';
    IF cardinality(p_topics) > 0 THEN
        SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.id), '[]') INTO heard FROM ledger_event AS e
        WHERE e.id = ANY (taken)
          AND (e.topic = ANY (p_topics) OR split_part(e.topic, '.', 1) || '.*' = ANY (p_topics));
    END IF;
END $$;

-- A batch in one call: lock aggregates, take their rows by a later statement (each statement of a volatile function
-- sees what was committed before it), and write what they cause. `aggregates` is empty when nothing is due here.
CREATE FUNCTION webhooks_relay(p_rows integer, p_cap integer, p_topics text[], p_now timestamptz,
                               OUT aggregates text[], OUT taken integer, OUT deferred integer, OUT heard jsonb,
                               OUT born integer)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_taken record;
BEGIN
    aggregates := webhooks_lock_aggregates(p_rows, p_now);
    taken := 0; deferred := 0; heard := '[]'; born := 0;
    IF cardinality(aggregates) > 0 THEN
        SELECT * INTO v_taken FROM webhooks_take_events(aggregates, p_cap, p_topics, p_now);
        taken := cardinality(v_taken.taken);
        deferred := v_taken.deferred;
        heard := v_taken.heard;
        born := webhooks_fan_out(v_taken.taken, p_now);
    END IF;
END $$;
