-- Rows of these tables are written once (rule L2). The application also lacks the right.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_posting
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON ledger_key
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_move
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A key stays once its transaction has committed; the transaction that inserted it may free it again.
CREATE FUNCTION guard_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_age constant integer := age(OLD.xmin);  -- 0 or less: as young as this transaction, or younger
    v_born text;
BEGIN
    v_born := pg_current_xact_id()::text::bigint - v_age;
    IF v_age > 0 OR pg_xact_status(v_born::xid8) <> 'in progress' THEN
        RAISE EXCEPTION 'key % stays', OLD.key USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER keys_stay BEFORE DELETE ON ledger_key FOR EACH ROW EXECUTE FUNCTION guard_key();

-- An account's identity is checked when it is opened, and fixed; only its balances change, by the ledger's functions.
CREATE FUNCTION guard_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'an account''s identity is fixed' USING ERRCODE = 'restrict_violation';
    ELSIF (NEW.address ~ '^@?[A-Za-z0-9_.-]+(:[A-Za-z0-9_.@-]+)*$' AND length(NEW.address) <= 255
           AND NEW.account_class IN ('asset', 'liability', 'equity', 'income', 'expense')
           AND NEW.normal_side IN ('debit', 'credit')
           AND NEW.balance_rule IN ('none', 'debits_must_not_exceed_credits', 'credits_must_not_exceed_debits')
           AND NEW.debits_posted = 0 AND NEW.credits_posted = 0
           AND NEW.debits_pending = 0 AND NEW.credits_pending = 0) IS NOT TRUE THEN
        RAISE EXCEPTION 'no such account can be opened: % %', NEW.address, NEW.asset USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER identity_fixed
    BEFORE INSERT OR UPDATE OF id, book_id, address, asset, account_class, gl_code, normal_side, balance_rule, opened_at
    ON ledger_account FOR EACH ROW EXECUTE FUNCTION guard_account();

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

-- A proposal stays as it was made, and is decided once: else a maker could swap what the checker saw (rule H1).
CREATE FUNCTION guard_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.decision <> 'proposed'
       OR (OLD.reference, OLD.environment, OLD.kind, OLD.subject, OLD.subject_version, OLD.content, OLD.reason, OLD.maker,
           OLD.proposed_at) IS DISTINCT FROM
          (NEW.reference, NEW.environment, NEW.kind, NEW.subject, NEW.subject_version, NEW.content, NEW.reason, NEW.maker,
           NEW.proposed_at) THEN
        RAISE EXCEPTION 'proposal % stays as it is', OLD.reference USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decided_once BEFORE UPDATE OR DELETE ON ledger_approval
    FOR EACH ROW EXECUTE FUNCTION guard_approval();

-- These go with the rows above and are not removed either.
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON ledger_account FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept BEFORE TRUNCATE ON ledger_hold FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON ledger_period FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept BEFORE TRUNCATE ON ledger_claim FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
