-- Rule H1 where it is about what the ledger posts: a chart, mapping or template becomes active when two people agreed to this
-- very version of it. Asked after the move's own guard, by its name. The tables' owner loads the baseline: a release's review is its second person.
CREATE OR REPLACE FUNCTION guard_activation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_catalog.pg_class WHERE oid = TG_RELID), 'USAGE')
       AND NOT EXISTS (SELECT FROM ledger_approval a
                       WHERE a.subject = NEW.reference AND a.environment = NEW.environment AND a.kind = 'chart'
                         AND a.subject_version = OLD.version AND a.decision = 'approved' AND a.checker <> a.maker) THEN
        RAISE EXCEPTION 'no two people agreed to activate %', NEW.reference USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER two_people BEFORE UPDATE ON ledger_chartversion
    FOR EACH ROW WHEN (NEW.state = 'active' AND OLD.state <> 'active') EXECUTE FUNCTION guard_activation();
CREATE OR REPLACE TRIGGER two_people BEFORE UPDATE ON ledger_glmapping
    FOR EACH ROW WHEN (NEW.state = 'active' AND OLD.state <> 'active') EXECUTE FUNCTION guard_activation();
CREATE OR REPLACE TRIGGER two_people BEFORE UPDATE ON ledger_postingtemplate
    FOR EACH ROW WHEN (NEW.state = 'active' AND OLD.state <> 'active') EXECUTE FUNCTION guard_activation();
