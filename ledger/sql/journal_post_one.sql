-- The short way for what is posted most: one transaction, not linked, plain or reserve, with one posting, of a fresh
-- key, without flags, on an open date, between open accounts, of an amount far from any limit. Same order of locks and
-- same results as the list's way.
-- Returns a null code when this is not such a case; then it has written nothing.
-- Few statements and few expressions: each is set up anew in every transaction, and that is most of what a call costs.
CREATE OR REPLACE FUNCTION ledger_post_one(
    p_book smallint, p_item jsonb, p_debit text, p_credit text, p_asset text, p_amount numeric, p_now timestamptz,
    OUT code text, OUT transaction_id uuid)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    v record;
BEGIN
    -- Read the item and its accounts, and take the locks on its date and on closing. What can change meanwhile is read
    -- by the next statement. 2^96 and 2^127: far from any limit.
    SELECT i.key, i.phase, i.timeout, i.effective, i.date, d.id AS debit_id, c.id AS credit_id,
           d.balance_rule <> 'none' AS debit_ruled, c.balance_rule <> 'none' AS credit_ruled,
           CASE i.phase WHEN 'plain' THEN p_amount ELSE 0 END AS posted,
           CASE i.phase WHEN 'plain' THEN 0 ELSE p_amount END AS pending,
           pg_advisory_xact_lock_shared(740000 + p_book, i.date - DATE '2000-01-01') AS date_held,
           pg_advisory_xact_lock_shared(742000 + p_book, 0) AS accounts_held
    INTO v
    FROM (SELECT x.key, x.phase, x.timeout, x.effective, (x.effective AT TIME ZONE b.close_zone)::date AS date
          FROM ledger_book b,
               (VALUES (p_item ->> 'key', coalesce(p_item ->> 'phase', 'plain'),
                        coalesce((p_item ->> 'timeout')::numeric, 0),
                        coalesce((p_item ->> 'effective_at')::timestamptz, p_now))) AS x (key, phase, timeout, effective)
          WHERE b.id = p_book AND (x.phase = 'plain' AND x.timeout = 0 OR x.phase = 'reserve'
                AND x.timeout BETWEEN 0 AND 4294967295 AND x.timeout = trunc(x.timeout))
            AND x.key <> '' AND length(x.key) <= 255 AND NOT starts_with(x.key, 'expire:')) AS i
    JOIN ledger_account d ON d.book_id = p_book AND d.address = p_debit AND d.asset = p_asset
    JOIN ledger_account c ON c.book_id = p_book AND c.address = p_credit AND c.asset = p_asset
    WHERE p_amount > 0 AND p_amount < 79228162514264337593543950336 AND p_amount = trunc(p_amount) AND p_debit <> p_credit
      AND p_item ->> 'event_type' <> '' AND p_item ->> 'hold_key' IS NULL
      AND (p_item ->> 'linked')::boolean IS NOT TRUE AND coalesce(p_item ->> 'flags', '[]') = '[]'
      AND current_setting('transaction_isolation') = 'read committed'
      AND d.debits_posted + d.debits_pending < 170141183460469231731687303715884105728
      AND c.credits_posted + c.credits_pending < 170141183460469231731687303715884105728;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    INSERT INTO ledger_key AS k (book_id, key, transaction_id)
    SELECT p_book, v.key, uuidv7()
    WHERE NOT EXISTS (SELECT FROM ledger_period
                      WHERE book_id = p_book AND business_date = v.date AND locked_at IS NOT NULL)
      AND NOT EXISTS (SELECT FROM ledger_closure WHERE account_id IN (v.debit_id, v.credit_id))
    ON CONFLICT DO NOTHING RETURNING k.transaction_id INTO transaction_id;
    IF transaction_id IS NULL THEN
        RETURN;
    END IF;

    IF v.debit_ruled OR v.credit_ruled THEN
        SELECT CASE
            WHEN bool_or(a.id = v.debit_id AND a.balance_rule = 'debits_must_not_exceed_credits'
                         AND a.debits_posted + a.debits_pending + p_amount > a.credits_posted) THEN 'exceeds_credits'
            WHEN bool_or(a.id = v.credit_id AND a.balance_rule = 'credits_must_not_exceed_debits'
                         AND a.credits_posted + a.credits_pending + p_amount > a.debits_posted) THEN 'exceeds_debits'
        END INTO code
        FROM (SELECT id, balance_rule, debits_posted, credits_posted, debits_pending, credits_pending
              FROM ledger_account WHERE id IN (v.debit_id, v.credit_id) AND balance_rule <> 'none'
              ORDER BY id FOR UPDATE) AS a;
        IF code IS NOT NULL THEN
            transaction_id := NULL;
            RETURN;
        END IF;
    END IF;
    code := 'created';

    IF v.phase = 'reserve' THEN
        INSERT INTO ledger_hold (transaction_id, book_id, state, expires_at)
        VALUES (transaction_id, p_book, 'open',
                CASE WHEN v.timeout > 0 THEN p_now + v.timeout::bigint * interval '1 second' END);
    END IF;
    -- the rest in one statement; the accounts are locked, so the order of their updates is free
    WITH moved AS (
        UPDATE ledger_account
        SET debits_posted = debits_posted + CASE id WHEN v.debit_id THEN v.posted ELSE 0 END,
            credits_posted = credits_posted + CASE id WHEN v.credit_id THEN v.posted ELSE 0 END,
            debits_pending = debits_pending + CASE id WHEN v.debit_id THEN v.pending ELSE 0 END,
            credits_pending = credits_pending + CASE id WHEN v.credit_id THEN v.pending ELSE 0 END
        WHERE (v.debit_ruled OR v.credit_ruled) AND id IN (v.debit_id, v.credit_id) AND balance_rule <> 'none'
    ), left_open AS (
        INSERT INTO ledger_delta (account_id, debits_posted, credits_posted, debits_pending, credits_pending)
        SELECT v.debit_id, v.posted, 0, v.pending, 0 WHERE NOT v.debit_ruled
        UNION ALL SELECT v.credit_id, 0, v.posted, 0, v.pending WHERE NOT v.credit_ruled
    ), posted AS (
        INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, pending_id, debit_account_id,
                                    credit_account_id, asset, amount_minor)
        VALUES (uuidv7(), transaction_id, 0, p_book, CASE v.phase WHEN 'plain' THEN 'posted' ELSE 'pending' END, NULL,
                v.debit_id, v.credit_id, p_asset, p_amount)
    ), unsealed AS (
        INSERT INTO ledger_unsealed (transaction_id, book_id) VALUES (transaction_id, p_book)
    )
    INSERT INTO ledger_transaction (id, book_id, key, event_type, phase, subject, refs, metadata, request_id,
                                    effective_at, value_date, recorded_at, timeout_seconds, hold_id, template_version)
    VALUES (transaction_id, p_book, v.key, p_item ->> 'event_type', v.phase, coalesce(p_item ->> 'subject', ''),
            coalesce(nullif(p_item -> 'refs', 'null'), '{}'), coalesce(nullif(p_item -> 'metadata', 'null'), '{}'),
            coalesce(p_item ->> 'request_id', ''), v.effective, NULL, p_now, v.timeout, NULL,
            (p_item ->> 'template_version')::bigint);
END $$;
