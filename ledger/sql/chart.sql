-- What a version says is fixed once it has left draft; who it is, always. The argument names the column of its content.
CREATE FUNCTION guard_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state <> 'draft' AND to_jsonb(OLD) -> TG_ARGV[0] IS DISTINCT FROM to_jsonb(NEW) -> TG_ARGV[0])
       OR (OLD.environment, OLD.number, OLD.reference, OLD.made_by) IS DISTINCT FROM
          (NEW.environment, NEW.number, NEW.reference, NEW.made_by)
       OR to_jsonb(OLD) -> 'event_type' IS DISTINCT FROM to_jsonb(NEW) -> 'event_type' THEN
        RAISE EXCEPTION 'version % stays as it is', OLD.reference USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER content_fixed BEFORE UPDATE ON ledger_chartversion
    FOR EACH ROW EXECUTE FUNCTION guard_version('content');
CREATE TRIGGER content_fixed BEFORE UPDATE ON ledger_glmapping
    FOR EACH ROW EXECUTE FUNCTION guard_version('content');
CREATE TRIGGER content_fixed BEFORE UPDATE ON ledger_postingtemplate
    FOR EACH ROW EXECUTE FUNCTION guard_version('source');

-- One row whose stamp is new with every move of a template or mapping. The write door names the stamp that its templates
-- were read with, and nothing is posted when another stands here.
CREATE TABLE ledger_template_stamp (id boolean PRIMARY KEY DEFAULT true CHECK (id), stamp bigint NOT NULL);
INSERT INTO ledger_template_stamp (stamp) VALUES (0);
CREATE FUNCTION ledger_stamp_templates() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE ledger_template_stamp SET stamp = pg_current_xact_id()::text::bigint;
    RETURN NULL;
END $$;
CREATE TRIGGER stamped AFTER UPDATE OF state ON ledger_postingtemplate
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_stamp_templates();
CREATE TRIGGER stamped AFTER UPDATE OF state ON ledger_glmapping
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_stamp_templates();
