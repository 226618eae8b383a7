-- Write instant transfers that the ledger has posted: the intents, every step of theirs with its audit row and event, and
-- the lines of their wallets' history (DESIGN.md section 7). One call for any number of them.
--
-- p_shared holds the columns in which they are alike, p_rows per intent the others and beside them `payload`, what its last
-- event says, and `events`, the references of its events. p_steps are the steps: from, to, cause, topic, and `said`, what that
-- step's event says otherwise. p_lines are lines of `orders_record_history`. Returns false when the business date is locked.
-- The intents are inserted in the first step's state and go on step by step: rule S1 is held by the table's trigger.
CREATE FUNCTION orders_write_settled(
    p_shared jsonb, p_rows jsonb, p_steps jsonb, p_lines jsonb, p_actor text, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_first orders_intent := jsonb_populate_record(NULL::orders_intent, p_shared);
    v_book record;
    v_ids bigint[];
    v_number integer;
BEGIN
    SELECT id, close_zone INTO STRICT v_book FROM ledger_book WHERE environment = v_first.environment;
    IF ledger_share_period(v_book.id::smallint, (p_now AT TIME ZONE v_book.close_zone)::date) THEN
        RETURN false;
    END IF;
    WITH born AS (
        INSERT INTO orders_intent OVERRIDING USER VALUE
        SELECT r.* FROM jsonb_populate_recordset(v_first, p_rows) AS r
        RETURNING id
    )
    SELECT array_agg(id) INTO v_ids FROM born;
    FOR n IN 1 .. jsonb_array_length(p_steps) - 1 LOOP
        UPDATE orders_intent SET state = p_steps -> n ->> 'to', version = version + 1 WHERE id = ANY (v_ids);
        GET DIAGNOSTICS v_number = ROW_COUNT;
        IF v_number IS DISTINCT FROM jsonb_array_length(p_rows) THEN
            RAISE EXCEPTION '% of % intents are %', v_number, jsonb_array_length(p_rows), p_steps -> n ->> 'to';
        END IF;
    END LOOP;

    INSERT INTO ledger_move (environment, operator_id, machine, subject, sequence, from_state, to_state, actor, cause,
                             evidence, request_id, event_reference, moved_at)
    SELECT v_first.environment, v_first.operator_id, 'intent', i.reference, s.n, s.from_state, s.to_state, p_actor, s.cause,
           NULL, v_first.request_id, '', p_now
    FROM (SELECT e.row ->> 'reference' AS reference, e.n
          FROM jsonb_array_elements(p_rows) WITH ORDINALITY AS e (row, n) OFFSET 0) AS i
    CROSS JOIN ROWS FROM (jsonb_to_recordset(p_steps) AS ("from" text, "to" text, cause text)) WITH ORDINALITY
        AS s (from_state, to_state, cause, n)
    ORDER BY i.n, s.n;

    WITH recorded AS (
        INSERT INTO ledger_event (reference, environment, operator_id, topic, aggregate, sequence, payload, public,
                                  request_id, recorded_at)
        SELECT i.events ->> (s.n - 1)::integer, v_first.environment, v_first.operator_id, s.topic, i.reference, s.n,
               i.payload || s.said, true, v_first.request_id, p_now
        FROM (SELECT e.row ->> 'reference' AS reference, e.row -> 'payload' AS payload, e.row -> 'events' AS events, e.n
              FROM jsonb_array_elements(p_rows) WITH ORDINALITY AS e (row, n) OFFSET 0) AS i
        CROSS JOIN ROWS FROM (jsonb_to_recordset(p_steps) AS (topic text, said jsonb)) WITH ORDINALITY AS s (topic, said, n)
        ORDER BY i.n, s.n
        RETURNING id, aggregate, sequence
    )
    INSERT INTO ledger_queuedevent (event_id, aggregate, sequence, available_at, attempts, last_error)
    SELECT id, aggregate, sequence, p_now, 0, '' FROM recorded;

    v_number := orders_record_history(v_first.environment, v_book.id::smallint, p_lines, p_now);
    IF v_number IS DISTINCT FROM jsonb_array_length(p_lines) THEN
        RAISE EXCEPTION 'an account of the history is not open';
    END IF;
    RETURN true;
END $$;
