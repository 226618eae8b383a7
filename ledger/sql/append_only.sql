-- Rows of these tables are written once (rule L2). The application also lacks the right.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_posting
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_key
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_move
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An account's identity is fixed; only its balances change, and only by the ledger's functions.
CREATE FUNCTION guard_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id, OLD.book_id, OLD.address, OLD.asset, OLD.account_class, OLD.gl_code, OLD.normal_side, OLD.balance_rule)
       IS DISTINCT FROM
       (NEW.id, NEW.book_id, NEW.address, NEW.asset, NEW.account_class, NEW.gl_code, NEW.normal_side, NEW.balance_rule)
    THEN
        RAISE EXCEPTION 'an account''s identity is fixed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER identity_fixed BEFORE UPDATE ON ledger_account
    FOR EACH ROW WHEN (
        OLD.balance_rule IS DISTINCT FROM NEW.balance_rule OR OLD.address IS DISTINCT FROM NEW.address
        OR OLD.asset IS DISTINCT FROM NEW.asset OR OLD.book_id IS DISTINCT FROM NEW.book_id
        OR OLD.gl_code IS DISTINCT FROM NEW.gl_code OR OLD.normal_side IS DISTINCT FROM NEW.normal_side
        OR OLD.account_class IS DISTINCT FROM NEW.account_class OR OLD.id IS DISTINCT FROM NEW.id)
    EXECUTE FUNCTION guard_account();

-- A hold ends once (rule L6).
CREATE FUNCTION guard_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'open' OR OLD.transaction_id <> NEW.transaction_id THEN
        RAISE EXCEPTION 'hold % has ended', OLD.transaction_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ends_once BEFORE UPDATE OR DELETE ON ledger_hold FOR EACH ROW EXECUTE FUNCTION guard_hold();

-- A claim's answer is written once.
CREATE FUNCTION guard_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.answered_at IS NOT NULL
       OR (OLD.operator_id, OLD.environment, OLD.key, OLD.digest) IS DISTINCT FROM
          (NEW.operator_id, NEW.environment, NEW.key, NEW.digest) THEN
        RAISE EXCEPTION 'claim % is answered', OLD.key USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER answered_once BEFORE UPDATE OR DELETE ON ledger_claim FOR EACH ROW EXECUTE FUNCTION guard_claim();
