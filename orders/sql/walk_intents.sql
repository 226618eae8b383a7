-- Take new intents along their steps, and write the audit rows and events of every one: an instant transfer is created,
-- validated, authorized and settled in one transaction (DESIGN.md section 7).
--
-- The intents were inserted in the first step's state. Per intent: its reference, what its last event says, and the
-- references of its events with commas between them. Per step: the states it goes from and to, its cause, its event's topic,
-- and what that event says otherwise. Returns false when the business date is locked. Rule S1 is held by the table's trigger,
-- step by step. Writes what `record_moves` writes, but from arrays: a list has four thousand of each.
CREATE FUNCTION orders_walk_intents(
    p_environment text, p_operator bigint, p_references text[], p_payloads text[], p_events text[], p_from text[],
    p_to text[], p_causes text[], p_topics text[], p_said text[], p_actor text, p_request_id text, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_book record;
    v_moved integer;
BEGIN
    SELECT id, close_zone INTO STRICT v_book FROM ledger_book WHERE environment = p_environment;
    IF ledger_share_period(v_book.id::smallint, (p_now AT TIME ZONE v_book.close_zone)::date) THEN
        RETURN false;
    END IF;
    FOR n IN 2 .. cardinality(p_to) LOOP
        UPDATE orders_intent SET state = p_to[n], version = version + 1 WHERE reference = ANY (p_references);
        GET DIAGNOSTICS v_moved = ROW_COUNT;
        IF v_moved <> cardinality(p_references) THEN
            RAISE EXCEPTION '% of % intents are %', v_moved, cardinality(p_references), p_to[n];
        END IF;
    END LOOP;

    INSERT INTO ledger_move (environment, operator_id, machine, subject, sequence, from_state, to_state, actor, cause,
                             evidence, request_id, event_reference, moved_at)
    SELECT p_environment, p_operator, 'intent', i.reference, s.n, s.from_state, s.to_state, p_actor, s.cause, NULL,
           p_request_id, '', p_now
    FROM unnest(p_references) WITH ORDINALITY AS i (reference, n)
    CROSS JOIN unnest(p_from, p_to, p_causes) WITH ORDINALITY AS s (from_state, to_state, cause, n)
    ORDER BY i.n, s.n;

    WITH recorded AS (
        INSERT INTO ledger_event (reference, environment, operator_id, topic, aggregate, sequence, payload, public,
                                  request_id, recorded_at)
        SELECT s.event, p_environment, p_operator, s.topic, i.reference, s.n, i.payload || s.said, true, p_request_id, p_now
        FROM (SELECT w.reference, w.payload::jsonb AS payload, string_to_array(w.events, ',') AS events, w.n
              FROM unnest(p_references, p_payloads, p_events) WITH ORDINALITY AS w (reference, payload, events, n)) AS i
        CROSS JOIN LATERAL unnest(i.events, p_topics, p_said::jsonb[]) WITH ORDINALITY AS s (event, topic, said, n)
        ORDER BY i.n, s.n
        RETURNING id, aggregate, sequence
    )
    INSERT INTO ledger_queuedevent (event_id, aggregate, sequence, available_at, attempts, last_error)
    SELECT id, aggregate, sequence, p_now, 0, '' FROM recorded;
    RETURN true;
END $$;
