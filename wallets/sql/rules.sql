-- What a rule says is fixed once it has left draft (its state and who moved it may change); what it is, always.
CREATE FUNCTION guard_rule() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    c_moving CONSTANT text[] := ARRAY['state', 'version', 'updated_at', 'activated_by', 'activated_at', 'retired_at'];
BEGIN
    IF (OLD.id, OLD.environment, OLD.code, OLD.number, OLD.reference, OLD.made_by, OLD.created_at) IS DISTINCT FROM
       (NEW.id, NEW.environment, NEW.code, NEW.number, NEW.reference, NEW.made_by, NEW.created_at)
       OR (OLD.state <> 'draft' AND to_jsonb(OLD) - c_moving IS DISTINCT FROM to_jsonb(NEW) - c_moving) THEN
        RAISE EXCEPTION 'rule % stays as it is', OLD.reference USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER content_fixed BEFORE UPDATE ON wallets_feerule FOR EACH ROW EXECUTE FUNCTION guard_rule();
CREATE TRIGGER content_fixed BEFORE UPDATE ON wallets_limitrule FOR EACH ROW EXECUTE FUNCTION guard_rule();
