-- Write a new delivery of each of these events to one endpoint, and the audit rows of their births. The references come
-- from outside, one for each event. Returns how many; an endpoint that is disabled gets none.
CREATE FUNCTION webhooks_resend(p_endpoint bigint, p_events bigint[], p_references text[], p_actor text, p_cause text,
                                p_request_id text, p_now timestamptz)
RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_environment text;
    v_born integer;
    v_moves jsonb;
BEGIN
    WITH born AS (
        INSERT INTO webhooks_delivery (reference, environment, operator_id, version, created_at, updated_at, state,
            endpoint_id, event_id, event_reference, topic, aggregate, sequence, attempts, available_at, lease_token)
        SELECT given.reference, e.environment, e.operator_id, 1, p_now, p_now, 'pending',
               p.id, e.id, e.reference, e.topic, e.aggregate, e.sequence, 0, p_now, ''
        FROM unnest(p_events, p_references) AS given (event_id, reference)
        JOIN ledger_event AS e ON e.id = given.event_id
        JOIN webhooks_endpoint AS p ON p.id = p_endpoint AND p.operator_id = e.operator_id
            AND p.environment = e.environment AND p.disabled_at IS NULL
        WHERE e.public
        ORDER BY e.id
        RETURNING environment, operator_id, reference, event_reference
    )
    SELECT min(environment), count(*)::integer, jsonb_agg(jsonb_build_object(
        'operator_id', operator_id, 'machine', 'delivery', 'subject', reference, 'sequence', 1,
        'from_state', '', 'to_state', 'pending', 'actor', p_actor, 'cause', p_cause,
        'request_id', p_request_id, 'event_reference', event_reference))
    INTO v_environment, v_born, v_moves FROM born;
    IF v_born > 0 AND NOT record_moves(v_environment, v_moves, p_now) THEN
        RAISE EXCEPTION 'the business date of % is locked', v_environment;
    END IF;
    RETURN v_born;
END $$;
