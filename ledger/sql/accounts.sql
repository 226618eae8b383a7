-- Open accounts; one that exists already stays as it is. Arguments are parallel arrays.
CREATE FUNCTION ledger_open_accounts(
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
CREATE FUNCTION ledger_lock_period(p_book smallint, p_date date, p_by text, p_now timestamptz DEFAULT NULL)
RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(740000 + p_book, p_date - DATE '2000-01-01');
    INSERT INTO ledger_period (book_id, business_date, locked_at, locked_by)
    VALUES (p_book, p_date, coalesce(p_now, clock_timestamp()), p_by)
    ON CONFLICT (book_id, business_date)
    DO UPDATE SET locked_at = excluded.locked_at, locked_by = excluded.locked_by WHERE ledger_period.locked_at IS NULL;
END $$;

CREATE FUNCTION ledger_unlock_period(p_book smallint, p_date date)
RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(740000 + p_book, p_date - DATE '2000-01-01');
    UPDATE ledger_period SET locked_at = NULL, locked_by = '' WHERE book_id = p_book AND business_date = p_date;
END $$;

-- Hold a date open until the end of this transaction, then say whether it is locked (rule L8): the shared lock
-- first, the row in a second statement.
CREATE FUNCTION ledger_share_period(p_book smallint, p_date date)
RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(740000 + p_book, p_date - DATE '2000-01-01');
    RETURN EXISTS (SELECT FROM ledger_period
                   WHERE book_id = p_book AND business_date = p_date AND locked_at IS NOT NULL);
END $$;
