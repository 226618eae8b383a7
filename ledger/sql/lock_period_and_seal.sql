-- Lock a date of a book (or find it locked). Takes the exclusive side of the lock that postings and moves share.
--
-- What waits is sealed with it, and the lock's row says up to which block: what is sealed later into that date came later,
-- whatever it says of when it was recorded.
CREATE OR REPLACE FUNCTION ledger_lock_period(p_book smallint, p_date date, p_by text, p_now timestamptz DEFAULT NULL)
RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_now timestamptz;
    v_version integer;
    v_sealed_at timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(740000 + p_book, p_date - DATE '2000-01-01');
    v_now := coalesce(p_now, clock_timestamp());
    INSERT INTO ledger_period AS p (book_id, business_date, locked_at, locked_by, version)
    VALUES (p_book, p_date, v_now, p_by, 1)
    ON CONFLICT (book_id, business_date)
    DO UPDATE SET locked_at = excluded.locked_at, locked_by = excluded.locked_by, version = p.version + 1
    WHERE p.locked_at IS NULL
    RETURNING p.version INTO v_version;
    IF v_version IS NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(743000, p_book);
    SELECT greatest(v_now, max(b.sealed_at)) INTO v_sealed_at FROM ledger_block b WHERE b.book_id = p_book;
    LOOP
        PERFORM FROM ledger_seal(p_book, 5000, v_sealed_at);
        EXIT WHEN NOT FOUND;
    END LOOP;
    INSERT INTO ledger_period_change (book_id, business_date, version, action, actor, changed_at, sealed_through)
    SELECT p_book, p_date, v_version, 'locked', p_by, v_now, coalesce(max(b.number), 0)
    FROM ledger_block b WHERE b.book_id = p_book;
END $$;
