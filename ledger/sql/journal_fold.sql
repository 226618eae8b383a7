-- Fold open deltas into their accounts. One statement: a watermark on ids, times or transaction ids loses late
-- commits. Returns how many delta rows were folded; another fold under way means 0.
CREATE OR REPLACE FUNCTION ledger_fold(p_limit integer DEFAULT 5000)
RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_folded bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(741000, 0) THEN
        RETURN 0;
    END IF;
    WITH picked AS (
        SELECT id FROM ledger_delta ORDER BY id LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM ledger_delta d USING picked WHERE d.id = picked.id RETURNING d.*
    ), summed AS (
        SELECT account_id, sum(debits_posted) AS dp, sum(credits_posted) AS cp,
               sum(debits_pending) AS dq, sum(credits_pending) AS cq
        FROM gone GROUP BY account_id
    ), locked AS (
        SELECT id FROM ledger_account WHERE id IN (SELECT account_id FROM summed) ORDER BY id FOR UPDATE
    ), folded AS (
        UPDATE ledger_account a
        SET debits_posted = a.debits_posted + s.dp, credits_posted = a.credits_posted + s.cp,
            debits_pending = a.debits_pending + s.dq, credits_pending = a.credits_pending + s.cq
        FROM summed s JOIN locked ON locked.id = s.account_id WHERE a.id = s.account_id
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM gone) INTO v_folded FROM (SELECT count(*) FROM folded) AS done;
    RETURN v_folded;
END $$;
