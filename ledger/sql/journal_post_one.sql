-- The short way for what is posted most: one transaction, not linked, plain or reserve, with one posting, of a fresh
-- key, without flags, on an open date, between open accounts, of an amount far from any limit. Same order of locks and
-- same results as the list's way.
-- Returns a null code when this is not such a case; then it has written nothing.
CREATE OR REPLACE FUNCTION ledger_post_one(
    p_book smallint, p_item jsonb, p_debit text, p_credit text, p_asset text, p_amount numeric, p_now timestamptz,
    OUT code text, OUT transaction_id uuid)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    c_far constant numeric := 79228162514264337593543950336;  -- 2^96
    c_half constant numeric := 170141183460469231731687303715884105728;  -- 2^127
    v_key text := p_item ->> 'key';
    v_phase text := coalesce(p_item ->> 'phase', 'plain');
    v_timeout numeric := coalesce((p_item ->> 'timeout')::numeric, 0);
    v_effective timestamptz := coalesce((p_item ->> 'effective_at')::timestamptz, p_now);
    v_date date;
    v_debit_id bigint;
    v_credit_id bigint;
    v_ruled boolean;
    v_all_ruled boolean;
    v_posted numeric := 0;
    v_pending numeric := 0;
BEGIN
    IF v_phase NOT IN ('plain', 'reserve') OR (v_phase = 'plain' AND v_timeout <> 0)
       OR v_timeout NOT BETWEEN 0 AND 4294967295
       OR v_timeout <> trunc(v_timeout) OR coalesce((p_item ->> 'linked')::boolean, false)
       OR p_item ->> 'hold_key' IS NOT NULL OR coalesce(p_item ->> 'flags', '[]') <> '[]'
       OR v_key = '' OR length(v_key) > 255 OR starts_with(v_key, 'expire:')
       OR p_amount <= 0 OR p_amount >= c_far OR p_amount <> trunc(p_amount) OR p_debit = p_credit
       OR v_key IS NULL OR p_amount IS NULL OR coalesce(p_item ->> 'event_type', '') = '' THEN
        RETURN;
    END IF;
    SELECT (v_effective AT TIME ZONE b.close_zone)::date, d.id, c.id,
           d.balance_rule <> 'none' OR c.balance_rule <> 'none', d.balance_rule <> 'none' AND c.balance_rule <> 'none'
    INTO v_date, v_debit_id, v_credit_id, v_ruled, v_all_ruled
    FROM ledger_book b
    JOIN ledger_account d ON d.book_id = p_book AND d.address = p_debit AND d.asset = p_asset
    JOIN ledger_account c ON c.book_id = p_book AND c.address = p_credit AND c.asset = p_asset
    WHERE b.id = p_book AND current_setting('transaction_isolation') = 'read committed'
      AND d.debits_posted + d.debits_pending < c_half AND c.credits_posted + c.credits_pending < c_half;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    PERFORM pg_advisory_xact_lock_shared(740000 + p_book, v_date - DATE '2000-01-01'),
            pg_advisory_xact_lock_shared(742000 + p_book, 0);
    IF EXISTS (SELECT FROM ledger_period
               WHERE book_id = p_book AND business_date = v_date AND locked_at IS NOT NULL)
       OR EXISTS (SELECT FROM ledger_closure WHERE account_id IN (v_debit_id, v_credit_id)) THEN
        RETURN;
    END IF;

    INSERT INTO ledger_key AS k (book_id, key, transaction_id) VALUES (p_book, v_key, uuidv7())
    ON CONFLICT DO NOTHING RETURNING k.transaction_id INTO transaction_id;
    IF transaction_id IS NULL THEN
        RETURN;
    END IF;

    IF v_ruled THEN
        SELECT CASE
            WHEN bool_or(a.id = v_debit_id AND a.balance_rule = 'debits_must_not_exceed_credits'
                         AND a.debits_posted + a.debits_pending + p_amount > a.credits_posted) THEN 'exceeds_credits'
            WHEN bool_or(a.id = v_credit_id AND a.balance_rule = 'credits_must_not_exceed_debits'
                         AND a.credits_posted + a.credits_pending + p_amount > a.debits_posted) THEN 'exceeds_debits'
        END INTO code
        FROM (SELECT id, balance_rule, debits_posted, credits_posted, debits_pending, credits_pending
              FROM ledger_account WHERE id IN (v_debit_id, v_credit_id) AND balance_rule <> 'none'
              ORDER BY id FOR UPDATE) AS a;
        IF code IS NOT NULL THEN
            transaction_id := NULL;
            RETURN;
        END IF;
    END IF;
    code := 'created';

    IF v_phase = 'plain' THEN
        v_posted := p_amount;
    ELSE
        v_pending := p_amount;
        INSERT INTO ledger_hold (transaction_id, book_id, state, expires_at)
        VALUES (transaction_id, p_book, 'open',
                CASE WHEN v_timeout > 0 THEN p_now + v_timeout::bigint * interval '1 second' END);
    END IF;
    IF NOT v_all_ruled THEN
        INSERT INTO ledger_delta (account_id, debits_posted, credits_posted, debits_pending, credits_pending)
        SELECT a.id, CASE a.id WHEN v_debit_id THEN v_posted ELSE 0 END,
               CASE a.id WHEN v_credit_id THEN v_posted ELSE 0 END,
               CASE a.id WHEN v_debit_id THEN v_pending ELSE 0 END,
               CASE a.id WHEN v_credit_id THEN v_pending ELSE 0 END
        FROM ledger_account a WHERE a.id IN (v_debit_id, v_credit_id) AND a.balance_rule = 'none';
    END IF;
    -- the rest in one statement; the accounts are locked, so the order of their updates is free
    WITH moved AS (
        UPDATE ledger_account
        SET debits_posted = debits_posted + CASE id WHEN v_debit_id THEN v_posted ELSE 0 END,
            credits_posted = credits_posted + CASE id WHEN v_credit_id THEN v_posted ELSE 0 END,
            debits_pending = debits_pending + CASE id WHEN v_debit_id THEN v_pending ELSE 0 END,
            credits_pending = credits_pending + CASE id WHEN v_credit_id THEN v_pending ELSE 0 END
        WHERE v_ruled AND id IN (v_debit_id, v_credit_id) AND balance_rule <> 'none'
    ), posted AS (
        INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, pending_id, debit_account_id,
                                    credit_account_id, asset, amount_minor)
        VALUES (uuidv7(), transaction_id, 0, p_book, CASE v_phase WHEN 'plain' THEN 'posted' ELSE 'pending' END, NULL,
                v_debit_id, v_credit_id, p_asset, p_amount)
    ), unsealed AS (
        INSERT INTO ledger_unsealed (transaction_id, book_id) VALUES (transaction_id, p_book)
    )
    INSERT INTO ledger_transaction (id, book_id, key, event_type, phase, subject, refs, metadata, request_id,
                                    effective_at, value_date, recorded_at, timeout_seconds, hold_id, template_version)
    VALUES (transaction_id, p_book, v_key, p_item ->> 'event_type', v_phase, coalesce(p_item ->> 'subject', ''),
            coalesce(nullif(p_item -> 'refs', 'null'), '{}'), coalesce(nullif(p_item -> 'metadata', 'null'), '{}'),
            coalesce(p_item ->> 'request_id', ''), v_effective, NULL, p_now, v_timeout, NULL,
            (p_item ->> 'template_version')::bigint);
END $$;
