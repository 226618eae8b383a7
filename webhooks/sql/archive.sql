-- Move events that are older than p_before into the archive: at most so many, only those of a locked day, none that the
-- relay or a delivery still has to do with. It runs as the owner; the application may take events out in no other way.
CREATE FUNCTION webhooks_archive_events(p_environment text, p_before timestamptz, p_limit integer, p_now timestamptz)
RETURNS integer LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_old bigint[];
BEGIN
    SELECT array_agg(id) INTO v_old FROM (
        SELECT e.id FROM ledger_event AS e JOIN ledger_book AS b ON b.environment = e.environment
        WHERE e.environment = p_environment AND e.recorded_at < p_before
          AND EXISTS (SELECT FROM ledger_period AS p
                      WHERE p.book_id = b.id AND p.locked_at IS NOT NULL
                        AND p.business_date = (e.recorded_at AT TIME ZONE b.close_zone)::date)
          AND NOT EXISTS (SELECT FROM ledger_queuedevent AS q WHERE q.event_id = e.id)
          AND NOT EXISTS (SELECT FROM webhooks_delivery AS d WHERE d.event_id = e.id AND d.state = 'pending')
        ORDER BY e.recorded_at, e.id LIMIT p_limit FOR UPDATE OF e SKIP LOCKED
    ) AS old;
    INSERT INTO ledger_archivedevent (id, reference, environment, operator_id, topic, aggregate, sequence, payload, public,
                                      request_id, recorded_at, archived_at)
    SELECT id, reference, environment, operator_id, topic, aggregate, sequence, payload, public, request_id, recorded_at,
           coalesce(p_now, clock_timestamp())
    FROM ledger_event WHERE id = ANY (v_old);
    DELETE FROM ledger_event WHERE id = ANY (v_old);
    RETURN coalesce(cardinality(v_old), 0);
END $$;
