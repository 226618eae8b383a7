-- Lines of wallets' history with the balances after each: those of now, less what the later lines of the list did.
-- A line is {wallet, operator_id, address, subject, kind, asset, amount, posted, held, transaction_id}. Returns how many were
-- written: a line whose account is not open is left out, and the caller rolls back.
CREATE FUNCTION orders_record_history(p_environment text, p_book smallint, p_lines jsonb, p_now timestamptz)
RETURNS integer LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_written integer;
BEGIN
    INSERT INTO orders_walletentry (wallet, environment, operator_id, subject, kind, asset, amount_minor, posted_minor,
                                    held_minor, ledger_reference, recorded_at)
    SELECT w.wallet, p_environment, w.operator_id, w.subject, w.kind, w.asset, w.amount,
           b.credits_posted - b.debits_posted - coalesce(sum(w.posted) OVER later, 0),
           b.debits_pending - coalesce(sum(w.held) OVER later, 0),
           coalesce('led_' || replace((
               SELECT p.id::text FROM ledger_posting AS p
               WHERE p.transaction_id = w.transaction_id AND b.account_id IN (p.debit_account_id, p.credit_account_id)
               ORDER BY p.position LIMIT 1), '-', ''), ''),
           p_now
    FROM ROWS FROM (jsonb_to_recordset(p_lines) AS (
             wallet text, operator_id bigint, address text, subject text, kind text, asset text, amount numeric,
             posted numeric, held numeric, transaction_id uuid)) WITH ORDINALITY
         AS w (wallet, operator_id, address, subject, kind, asset, amount, posted, held, transaction_id, n)
    CROSS JOIN LATERAL (  -- account by account: how many there are in the book does not matter
        SELECT * FROM ledger_balance AS x WHERE x.book_id = p_book AND x.address = w.address AND x.asset = w.asset OFFSET 0
    ) AS b
    WINDOW later AS (PARTITION BY w.address, w.asset ORDER BY w.n ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
    ORDER BY w.n;
    GET DIAGNOSTICS v_written = ROW_COUNT;
    RETURN v_written;
END $$;
