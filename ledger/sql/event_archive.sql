-- An event leaves its table only when the archive has the very same row (rule L2 goes on there).
CREATE FUNCTION guard_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM ledger_archivedevent AS a
        WHERE a.id = OLD.id AND (a.reference, a.environment, a.topic, a.aggregate, a.sequence, a.payload, a.public,
                                 a.request_id, a.recorded_at)
                              = (OLD.reference, OLD.environment, OLD.topic, OLD.aggregate, OLD.sequence, OLD.payload,
                                 OLD.public, OLD.request_id, OLD.recorded_at)
          AND a.operator_id IS NOT DISTINCT FROM OLD.operator_id) THEN
        RAISE EXCEPTION 'ledger_event is append-only: DELETE refused' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
DROP TRIGGER append_only ON ledger_event;
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON ledger_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER archived_first BEFORE DELETE ON ledger_event FOR EACH ROW EXECUTE FUNCTION guard_event();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_archivedevent
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Every event there ever was, wherever it lies now.
CREATE VIEW ledger_event_ever AS
SELECT id, reference, environment, operator_id, topic, aggregate, sequence, payload, public, request_id, recorded_at
FROM ledger_event
UNION ALL
SELECT id, reference, environment, operator_id, topic, aggregate, sequence, payload, public, request_id, recorded_at
FROM ledger_archivedevent;
