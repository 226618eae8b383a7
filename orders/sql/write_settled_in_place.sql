-- Write instant transfers that the ledger has posted: the intents, every step of theirs with its audit row and event, and
-- the lines of their wallets' history (DESIGN.md section 7). One call for any number of them.
--
-- p_shared holds the columns in which they are alike, p_rows per intent the others and beside them `payload`, what its last
-- event says, and `events`, the references of its events. p_steps are the steps: from, to, cause, topic, and `said`, what that
-- step's event says otherwise. p_lines are lines of `orders_record_history`. Returns false when the business date is locked.
--
-- The intents are inserted in the first step's state and go on step by step: rule S1 is held by the table's trigger. No step
-- changes an indexed column, and the long columns come with the last one: the versions of a row are small and lie on one page.
CREATE OR REPLACE FUNCTION orders_write_settled(
    p_shared jsonb, p_rows jsonb, p_steps jsonb, p_lines jsonb, p_actor text, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_first orders_intent := jsonb_populate_record(NULL::orders_intent, p_shared);
    v_book record;
    v_to text[];
    v_ids bigint[];
    v_number integer;
BEGIN
    SELECT b.id, (p_now AT TIME ZONE b.close_zone)::date AS today,
           ARRAY (SELECT s.step ->> 'to' FROM jsonb_array_elements(p_steps) WITH ORDINALITY AS s (step, n) ORDER BY s.n) AS states
    INTO STRICT v_book FROM ledger_book AS b WHERE b.environment = v_first.environment;
    IF ledger_share_period(v_book.id::smallint, v_book.today) THEN
        RETURN false;
    END IF;
    v_to := v_book.states;
    WITH born AS (
        INSERT INTO orders_intent (
            reference, environment, operator_id, version, created_at, updated_at, state, kind, channel, status_reason, payer, payee,
            recipient, asset, amount_minor, debit_minor, credit_minor, fee_minor, vat_minor, network_fee_minor, fee_items, usages,
            terms, partner_reference, note, lookup_ref, receiver_name, response_id, settlement_date, reference_number, scheduled_for,
            expires_at, request_id, validated_at, authorized_at, ended_at)
        SELECT r.reference, v_first.environment, v_first.operator_id, v_first.version, v_first.created_at, v_first.updated_at,
               v_first.state, v_first.kind, v_first.channel, v_first.status_reason, r.payer, r.payee, v_first.recipient, r.asset,
               r.amount_minor, r.debit_minor, r.credit_minor, r.fee_minor, r.vat_minor, v_first.network_fee_minor, '[]', '[]',
               '{}', r.partner_reference, r.note, v_first.lookup_ref, v_first.receiver_name, v_first.response_id,
               v_first.settlement_date, r.reference_number, v_first.scheduled_for, v_first.expires_at, v_first.request_id,
               v_first.validated_at, v_first.authorized_at, v_first.ended_at
        FROM ROWS FROM (jsonb_to_recordset(p_rows) AS (
                 reference text, reference_number text, partner_reference text, note text, payer text, payee text, asset text,
                 amount_minor numeric, debit_minor numeric, credit_minor numeric, fee_minor numeric, vat_minor numeric))
             WITH ORDINALITY AS r (reference, reference_number, partner_reference, note, payer, payee, asset, amount_minor,
                                   debit_minor, credit_minor, fee_minor, vat_minor, n)
        ORDER BY r.n
        RETURNING id
    )
    SELECT array_agg(id) INTO v_ids FROM born;
    FOR n IN 2 .. cardinality(v_to) - 1 LOOP
        UPDATE orders_intent SET state = v_to[n], version = version + 1 WHERE id = ANY (v_ids);
        GET DIAGNOSTICS v_number = ROW_COUNT;
        IF v_number <> cardinality(v_ids) THEN
            RAISE EXCEPTION '% of % intents are %', v_number, cardinality(v_ids), v_to[n];
        END IF;
    END LOOP;
    -- found by their ids alone: by its reference's index the whole table would be read, with a plan of when it was small
    UPDATE orders_intent AS i
    SET state = v_to[cardinality(v_to)], version = i.version + 1, terms = r.terms, fee_items = r.fee_items, usages = r.usages
    FROM jsonb_to_recordset(p_rows) AS r (reference text, terms jsonb, fee_items jsonb, usages jsonb)
    WHERE i.id = ANY (v_ids) AND i.reference || '' = r.reference;
    GET DIAGNOSTICS v_number = ROW_COUNT;
    IF v_number <> jsonb_array_length(p_rows) THEN
        RAISE EXCEPTION '% of % intents are at their end', v_number, jsonb_array_length(p_rows);
    END IF;

    WITH step AS MATERIALIZED (
        SELECT i.reference, i.payload, i.events, i.n AS of_intent, s.n, s.from_state, s.to_state, s.cause, s.topic, s.said
        FROM ROWS FROM (jsonb_to_recordset(p_rows) AS (reference text, payload jsonb, events jsonb)) WITH ORDINALITY
             AS i (reference, payload, events, n)
        CROSS JOIN ROWS FROM (jsonb_to_recordset(p_steps) AS ("from" text, "to" text, cause text, topic text, said jsonb))
             WITH ORDINALITY AS s (from_state, to_state, cause, topic, said, n)
        ORDER BY i.n, s.n
    ), moved AS (
        INSERT INTO ledger_move (environment, operator_id, machine, subject, sequence, from_state, to_state, actor, cause,
                                 evidence, request_id, event_reference, moved_at)
        SELECT v_first.environment, v_first.operator_id, 'intent', reference, n, from_state, to_state, p_actor, cause, NULL,
               v_first.request_id, '', p_now
        FROM step
    ), recorded AS (
        INSERT INTO ledger_event (reference, environment, operator_id, topic, aggregate, sequence, payload, public,
                                  request_id, recorded_at)
        SELECT events ->> (n - 1)::integer, v_first.environment, v_first.operator_id, topic, reference, n, payload || said, true,
               v_first.request_id, p_now
        FROM step
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
