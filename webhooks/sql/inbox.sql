-- Dedupe and store one verified message in one insert (DESIGN, Events; rule I2): the constraint on (provider, event id)
-- decides. Waits for nobody but a twin that is being stored at this moment. Returns what became of it.
CREATE FUNCTION webhooks_receive(p_provider bigint, p_reference text, p_event_id text, p_kind text, p_subjects jsonb,
                                 p_transaction text, p_body bytea, p_payload_reference text, p_headers jsonb,
                                 p_request_id text, p_now timestamptz)
RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_provider record;
    v_same boolean;
BEGIN
    SELECT id, code, environment, operator_id INTO STRICT v_provider FROM webhooks_provider WHERE id = p_provider;
    INSERT INTO webhooks_inboundevent (reference, environment, operator_id, version, created_at, updated_at, state,
        provider_id, provider_code, provider_event_id, kind, subjects, provider_transaction, body, payload_reference,
        headers, request_id, available_at, attempts, reason)
    VALUES (p_reference, v_provider.environment, v_provider.operator_id, 1, p_now, p_now, 'received',
        v_provider.id, v_provider.code, p_event_id, p_kind, p_subjects, p_transaction, p_body, p_payload_reference,
        p_headers, p_request_id, p_now, 0, '')
    ON CONFLICT (provider_id, provider_event_id) DO NOTHING;
    IF NOT FOUND THEN
        SELECT payload_reference = p_payload_reference INTO STRICT v_same FROM webhooks_inboundevent
        WHERE provider_id = p_provider AND provider_event_id = p_event_id;
        RETURN CASE WHEN v_same THEN 'repeated' ELSE 'repeated_with_other_content' END;
    END IF;
    IF NOT record_moves(v_provider.environment, jsonb_build_array(jsonb_build_object(
        'operator_id', v_provider.operator_id, 'machine', 'inbound_event', 'subject', p_reference, 'sequence', 1,
        'from_state', '', 'to_state', 'received', 'actor', 'provider:' || v_provider.code, 'cause', 'event received',
        'request_id', p_request_id, 'event_reference', p_reference)), p_now) THEN
        RAISE EXCEPTION 'the business date of % is locked', v_provider.environment;
    END IF;
    RETURN 'received';
END $$;

-- What arrived stays as it arrived (rule L2).
CREATE FUNCTION guard_inbound_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.reference, OLD.environment, OLD.operator_id, OLD.provider_id, OLD.provider_code, OLD.provider_event_id,
        OLD.kind, OLD.subjects, OLD.provider_transaction, OLD.body, OLD.payload_reference, OLD.headers, OLD.request_id,
        OLD.created_at) IS DISTINCT FROM
       (NEW.reference, NEW.environment, NEW.operator_id, NEW.provider_id, NEW.provider_code, NEW.provider_event_id,
        NEW.kind, NEW.subjects, NEW.provider_transaction, NEW.body, NEW.payload_reference, NEW.headers, NEW.request_id,
        NEW.created_at) THEN
        RAISE EXCEPTION 'inbound event % stays as it arrived', OLD.reference USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER as_it_arrived BEFORE UPDATE ON webhooks_inboundevent
    FOR EACH ROW EXECUTE FUNCTION guard_inbound_event();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON webhooks_inboundevent
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
