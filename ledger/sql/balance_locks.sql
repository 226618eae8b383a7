-- For what depends on balances: hold the keys and accounts that a list will touch, then read the balances, so that a
-- decision made from them still stands when the list is posted in the same transaction.
--
-- The order of locks is that of ledger_post: dates, keys sorted, accounts by id. A key that nobody has is inserted and
-- deleted again: until this transaction ends whoever posts under it waits, as for a key that was posted. So the caller
-- names every key of its list, and every account with a balance rule that the list may touch, also those it only
-- credits: one that is locked later stands outside the order and may deadlock.
CREATE OR REPLACE FUNCTION ledger_lock_balances(
    p_book smallint, p_key text[], p_address text[], p_asset text[], p_effective timestamptz[] DEFAULT '{}',
    p_closing boolean DEFAULT false, p_now timestamptz DEFAULT NULL)
RETURNS TABLE (address text, asset text, balance numeric, ruled boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_zone text;
    v_date date;
    v_id bigint[];
    v_own uuid[];
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the ledger is written under READ COMMITTED: each statement must see what others committed';
    END IF;
    SELECT close_zone INTO v_zone FROM ledger_book WHERE id = p_book;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no book %', p_book;
    END IF;
    FOR v_date IN SELECT DISTINCT (e AT TIME ZONE v_zone)::date AS d FROM unnest(p_effective || v_now) AS e ORDER BY d LOOP
        PERFORM ledger_share_period(p_book, v_date);
    END LOOP;
    IF p_closing THEN
        PERFORM pg_advisory_xact_lock(742000 + p_book, 0);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(742000 + p_book, 0);
    END IF;

    WITH held AS (
        INSERT INTO ledger_key AS k (book_id, key, transaction_id)
        SELECT p_book, u.key, uuidv7() FROM (SELECT DISTINCT key FROM unnest(p_key) AS key) AS u ORDER BY u.key
        ON CONFLICT DO NOTHING
        RETURNING k.transaction_id
    )
    SELECT array_agg(transaction_id) INTO v_own FROM held;
    DELETE FROM ledger_key WHERE book_id = p_book AND key = ANY (p_key) AND transaction_id = ANY (v_own);

    SELECT array_agg(a.id) INTO v_id
    FROM ledger_account a
    JOIN (SELECT DISTINCT address, asset FROM unnest(p_address, p_asset) AS x (address, asset)) AS w
      ON a.book_id = p_book AND a.address = w.address AND a.asset = w.asset;
    PERFORM FROM ledger_account WHERE id = ANY (v_id) AND balance_rule <> 'none' ORDER BY id FOR UPDATE;

    RETURN QUERY
    SELECT a.address, a.asset,
           a.credits_posted - a.debits_posted - a.debits_pending + coalesce(d.balance, 0), a.balance_rule <> 'none'
    FROM ledger_account a
    LEFT JOIN LATERAL (SELECT sum(x.credits_posted - x.debits_posted - x.debits_pending) AS balance
                       FROM ledger_delta x WHERE x.account_id = a.id) AS d ON true
    WHERE a.id = ANY (v_id);
END $$;
