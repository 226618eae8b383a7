-- The guard of accounts, in two: what is opened is checked row by row; a statement that names a part of the identity is
-- refused as such, whatever its rows. A row trigger before updates would lock and write every account twice that is
-- posted to, although it has nothing to say about balances.
CREATE OR REPLACE FUNCTION guard_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.address ~ '^@?[A-Za-z0-9_.-]+(:[A-Za-z0-9_.@-]+)*$' AND length(NEW.address) <= 255
        AND NEW.account_class IN ('asset', 'liability', 'equity', 'income', 'expense')
        AND NEW.normal_side IN ('debit', 'credit')
        AND NEW.balance_rule IN ('none', 'debits_must_not_exceed_credits', 'credits_must_not_exceed_debits')
        AND NEW.debits_posted = 0 AND NEW.credits_posted = 0
        AND NEW.debits_pending = 0 AND NEW.credits_pending = 0) IS NOT TRUE THEN
        RAISE EXCEPTION 'no such account can be opened: % %', NEW.address, NEW.asset USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION refuse_other_identity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an account''s identity is fixed' USING ERRCODE = 'restrict_violation';
END $$;

DROP TRIGGER identity_fixed ON ledger_account;
CREATE TRIGGER opened_whole BEFORE INSERT ON ledger_account FOR EACH ROW EXECUTE FUNCTION guard_account();
CREATE TRIGGER identity_fixed
    BEFORE UPDATE OF id, book_id, address, asset, account_class, gl_code, normal_side, balance_rule, opened_at
    ON ledger_account FOR EACH STATEMENT EXECUTE FUNCTION refuse_other_identity();
