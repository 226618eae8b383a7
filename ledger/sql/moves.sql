-- Rule S1: only declared moves happen, even from raw SQL. The machine's name is the trigger's argument.
CREATE FUNCTION guard_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_from text := '';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.state = NEW.state THEN
            RETURN NEW;
        END IF;
        v_from := OLD.state;
    END IF;
    IF NOT EXISTS (SELECT FROM legal_move
                   WHERE machine = TG_ARGV[0] AND from_state = v_from AND to_state = NEW.state) THEN
        RAISE EXCEPTION 'illegal move of %: "%" to "%"', TG_ARGV[0], v_from, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- Write the audit rows of one transaction's moves and the events that belong to them, holding the business date
-- open. Returns false when that date is locked. `p_moves` is a list of objects; "event" in it may be null.
CREATE FUNCTION record_moves(p_environment text, p_moves jsonb, p_now timestamptz)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_book record;
BEGIN
    SELECT id, close_zone INTO STRICT v_book FROM ledger_book WHERE environment = p_environment;
    IF ledger_share_period(v_book.id::smallint, (p_now AT TIME ZONE v_book.close_zone)::date) THEN
        RETURN false;
    END IF;
    INSERT INTO ledger_move (environment, operator_id, machine, subject, sequence, from_state, to_state, actor, cause,
                             evidence, request_id, event_reference, moved_at)
    SELECT p_environment, m.operator_id, m.machine, m.subject, m.sequence, m.from_state, m.to_state, m.actor, m.cause,
           m.evidence, m.request_id, m.event_reference, p_now
    FROM jsonb_to_recordset(p_moves) AS m (operator_id bigint, machine text, subject text, sequence integer,
         from_state text, to_state text, actor text, cause text, evidence jsonb, request_id text, event_reference text);
    WITH recorded AS (
        INSERT INTO ledger_event (reference, environment, operator_id, topic, aggregate, sequence, payload, public,
                                  request_id, recorded_at)
        SELECT m.event ->> 'reference', p_environment, m.operator_id, m.event ->> 'topic', m.subject, m.sequence,
               m.event -> 'payload', (m.event ->> 'public')::boolean, m.request_id, p_now
        FROM jsonb_to_recordset(p_moves) AS m (operator_id bigint, subject text, sequence integer, request_id text,
             event jsonb)
        WHERE m.event <> 'null'::jsonb
        RETURNING id, aggregate, sequence
    )
    INSERT INTO ledger_queuedevent (event_id, aggregate, sequence, available_at, attempts, last_error)
    SELECT id, aggregate, sequence, p_now, 0, '' FROM recorded;
    RETURN true;
END $$;
