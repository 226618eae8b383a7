-- Take new intents along their steps, and write the audit rows and events of every one: an instant transfer is created,
-- validated, authorized and settled in one transaction (DESIGN.md section 7).
--
-- `p_intents` is a list of {reference, operator_id, payload, events}, rows that were inserted in the first step's state;
-- `p_steps` a list of {from, to, cause, topic, said}: `said` is what the event's payload says otherwise in that step.
-- Returns false when the business date is locked. Rule S1 is held by the table's trigger, step by step.
CREATE FUNCTION orders_walk_intents(
    p_environment text, p_intents jsonb, p_steps jsonb, p_actor text, p_request_id text, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_references text[] := ARRAY (SELECT i ->> 'reference' FROM jsonb_array_elements(p_intents) AS i);
    v_to text;
    v_moved integer;
BEGIN
    FOR v_to IN SELECT s.step ->> 'to' FROM jsonb_array_elements(p_steps) WITH ORDINALITY AS s (step, n)
                WHERE s.n > 1 ORDER BY s.n LOOP
        UPDATE orders_intent SET state = v_to, version = version + 1 WHERE reference = ANY (v_references);
        GET DIAGNOSTICS v_moved = ROW_COUNT;
        IF v_moved <> cardinality(v_references) THEN
            RAISE EXCEPTION '% of % intents are %', v_moved, cardinality(v_references), v_to;
        END IF;
    END LOOP;
    RETURN record_moves(p_environment, (
        SELECT jsonb_agg(jsonb_build_object(
                   'operator_id', i.intent -> 'operator_id', 'machine', 'intent', 'subject', i.intent -> 'reference',
                   'sequence', s.n, 'from_state', s.step -> 'from', 'to_state', s.step -> 'to', 'actor', p_actor,
                   'cause', s.step -> 'cause', 'evidence', NULL, 'request_id', p_request_id, 'event_reference', '',
                   'event', jsonb_build_object(
                       'reference', i.intent -> 'events' -> (s.n::integer - 1), 'topic', s.step -> 'topic',
                       'payload', (i.intent -> 'payload') || (s.step -> 'said'), 'public', true))
               ORDER BY i.n, s.n)
        FROM jsonb_array_elements(p_intents) WITH ORDINALITY AS i (intent, n),
             jsonb_array_elements(p_steps) WITH ORDINALITY AS s (step, n)), p_now);
END $$;
