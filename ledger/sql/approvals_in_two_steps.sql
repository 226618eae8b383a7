-- A proposal is born undecided, and nobody approves it in the transaction that made it (rule H1): one statement or one
-- transaction of the application cannot write what two people are to have done one after the other.
ALTER TABLE ledger_approval ADD COLUMN IF NOT EXISTS proposed_in xid8;

CREATE OR REPLACE FUNCTION born_proposed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.decision <> 'proposed' OR NEW.checker IS NOT NULL OR NEW.decided_at IS NOT NULL OR NEW.decision_reason <> '' THEN
        RAISE EXCEPTION 'proposal % is decided before it is made', NEW.reference USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.proposed_in := pg_current_xact_id();
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER born_proposed BEFORE INSERT ON ledger_approval FOR EACH ROW EXECUTE FUNCTION born_proposed();

CREATE OR REPLACE FUNCTION guard_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.decision <> 'proposed'
       OR (OLD.reference, OLD.environment, OLD.kind, OLD.subject, OLD.subject_version, OLD.content, OLD.reason, OLD.maker,
           OLD.proposed_at, OLD.proposed_in) IS DISTINCT FROM
          (NEW.reference, NEW.environment, NEW.kind, NEW.subject, NEW.subject_version, NEW.content, NEW.reason, NEW.maker,
           NEW.proposed_at, NEW.proposed_in) THEN
        RAISE EXCEPTION 'proposal % stays as it is', OLD.reference USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.decision = 'approved' AND OLD.proposed_in = pg_current_xact_id() THEN
        RAISE EXCEPTION 'proposal % is approved by whoever makes it', OLD.reference USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
