-- Open accounts; one that exists already stays as it is. Arguments are parallel arrays.
CREATE OR REPLACE FUNCTION ledger_open_accounts(
    p_book smallint, p_address text[], p_asset text[], p_class text[], p_gl_code text[], p_normal_side text[],
    p_view text[], p_rule text[], p_now timestamptz DEFAULT NULL)
RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO ledger_account (book_id, address, asset, account_class, gl_code, normal_side, workflow_view,
                                balance_rule, opened_at)
    SELECT p_book, x.address, x.asset, x.class, x.gl_code, x.normal_side, x.view, x.rule,
           coalesce(p_now, clock_timestamp())
    FROM unnest(p_address, p_asset, p_class, p_gl_code, p_normal_side, p_view, p_rule)
         AS x (address, asset, class, gl_code, normal_side, view, rule)
    ORDER BY x.address, x.asset
    ON CONFLICT (book_id, address, asset) DO NOTHING
$$;

-- Lock a date of a book (or find it locked). Takes the exclusive side of the lock that postings and moves share.
CREATE OR REPLACE FUNCTION ledger_lock_period(p_book smallint, p_date date, p_by text, p_now timestamptz DEFAULT NULL)
RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_now timestamptz;
    v_version integer;
BEGIN
    PERFORM pg_advisory_xact_lock(740000 + p_book, p_date - DATE '2000-01-01');
    v_now := coalesce(p_now, clock_timestamp());
    INSERT INTO ledger_period AS p (book_id, business_date, locked_at, locked_by, version)
    VALUES (p_book, p_date, v_now, p_by, 1)
    ON CONFLICT (book_id, business_date)
    DO UPDATE SET locked_at = excluded.locked_at, locked_by = excluded.locked_by, version = p.version + 1
    WHERE p.locked_at IS NULL
    RETURNING p.version INTO v_version;
    IF v_version IS NOT NULL THEN
        INSERT INTO ledger_period_change (book_id, business_date, version, action, actor, changed_at)
        VALUES (p_book, p_date, v_version, 'locked', p_by, v_now);
    END IF;
END $$;

-- Unlock a date that two people agreed to unlock: `p_approval` names their approved proposal, which is bound to this
-- very lock (rule H1). What it says is kept in the trace.
CREATE OR REPLACE FUNCTION ledger_unlock_period(
    p_book smallint, p_date date, p_approval text, p_now timestamptz DEFAULT NULL)
RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_checker text;
    v_version integer;
BEGIN
    PERFORM pg_advisory_xact_lock(740000 + p_book, p_date - DATE '2000-01-01');
    SELECT a.checker, p.version INTO v_checker, v_version
    FROM ledger_period p
    JOIN ledger_book b ON b.id = p.book_id
    JOIN ledger_approval a ON a.reference = p_approval AND a.environment = b.environment AND a.kind = 'period_unlock'
     AND a.subject = concat('period:', b.environment, ':', p.business_date) AND a.subject_version = p.version
     AND a.decision = 'approved' AND a.checker <> a.maker
    WHERE p.book_id = p_book AND p.business_date = p_date AND p.locked_at IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no two people agreed to unlock % of book %', p_date, p_book USING ERRCODE = 'restrict_violation';
    END IF;
    UPDATE ledger_period SET locked_at = NULL, locked_by = '', version = v_version + 1
    WHERE book_id = p_book AND business_date = p_date;
    INSERT INTO ledger_period_change (book_id, business_date, version, action, actor, approval, changed_at)
    VALUES (p_book, p_date, v_version + 1, 'unlocked', v_checker, p_approval, coalesce(p_now, clock_timestamp()));
END $$;

-- Hold a date open until the end of this transaction, then say whether it is locked (rule L8): the shared lock
-- first, the row in a second statement.
CREATE OR REPLACE FUNCTION ledger_share_period(p_book smallint, p_date date)
RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(740000 + p_book, p_date - DATE '2000-01-01');
    RETURN EXISTS (SELECT FROM ledger_period
                   WHERE book_id = p_book AND business_date = p_date AND locked_at IS NOT NULL);
END $$;
