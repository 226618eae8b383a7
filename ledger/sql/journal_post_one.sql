-- The short way for what is posted most: one transaction, not linked, plain or reserve, with one posting, of a fresh
-- key, without flags, on an open date, between open accounts, of an amount far from any limit. Same order of locks and
-- same results as the list's way.
-- Returns a null code when this is not such a case; then it has written nothing, and the list's way (ledger_post) says
-- what becomes of it. With a stamp it is such a case only while the templates are those of that stamp.
-- The posting's id is made after the locks: an account's statement goes by it, and so by the order of its balances.
-- Few statements and few expressions: each is set up anew in every transaction, and that is most of what a call costs.
CREATE OR REPLACE FUNCTION ledger_post_one(
    p_book smallint, p_stamp bigint, p_key text, p_event_type text, p_phase text, p_subject text, p_refs jsonb,
    p_metadata jsonb, p_request_id text, p_effective timestamptz, p_timeout numeric, p_template_version bigint,
    p_debit text, p_credit text, p_asset text, p_amount numeric, p_now timestamptz DEFAULT NULL,
    OUT code text, OUT transaction_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_effective timestamptz := coalesce(p_effective, v_now);
    v_date date;
    v_posted numeric := p_amount;
    v_pending numeric := 0;
    v_debit bigint;
    v_credit bigint;
    v_debit_rule text;
    v_credit_rule text;
    v_held boolean;
BEGIN
    IF p_phase = 'reserve' AND p_timeout BETWEEN 0 AND 4294967295 AND p_timeout = trunc(p_timeout) THEN
        v_posted := 0;
        v_pending := p_amount;
    ELSIF (p_phase = 'plain' AND p_timeout = 0) IS NOT TRUE THEN
        RETURN;
    END IF;

    -- Read the accounts and take the locks on the date and on closing. What can change meanwhile is read by the next
    -- statement. 2^96 and 2^126: far from any limit.
    SELECT (v_effective AT TIME ZONE b.close_zone)::date, d.id, c.id, d.balance_rule, c.balance_rule,
           pg_advisory_xact_lock_shared(
               740000 + p_book, (v_effective AT TIME ZONE b.close_zone)::date - DATE '2000-01-01') IS NULL,
           pg_advisory_xact_lock_shared(742000 + p_book, 0) IS NULL
    INTO v_date, v_debit, v_credit, v_debit_rule, v_credit_rule, v_held, v_held
    FROM ledger_book b
    JOIN ledger_template_stamp s ON p_stamp IS NULL OR p_stamp = s.stamp
    JOIN ledger_account d ON d.book_id = p_book AND d.address = p_debit AND d.asset = p_asset
    JOIN ledger_account c ON c.book_id = p_book AND c.address = p_credit AND c.asset = p_asset
    WHERE b.id = p_book AND d.id <> c.id
      AND p_amount > 0 AND p_amount < 79228162514264337593543950336 AND p_amount = trunc(p_amount)
      AND p_key <> '' AND length(p_key) <= 255 AND NOT starts_with(p_key, 'expire:') AND p_event_type <> ''
      AND current_setting('transaction_isolation') = 'read committed'
      AND greatest(d.debits_posted, d.debits_pending, c.credits_posted, c.credits_pending)
          < 85070591730234615865843651857942052864;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    -- Joins, not EXISTS: with a subquery in it a statement is walked through anew in every call.
    INSERT INTO ledger_key AS k (book_id, key, transaction_id)
    SELECT p_book, p_key, uuidv7()
    FROM (VALUES (v_date)) AS x (date)
    LEFT JOIN ledger_period p ON p.book_id = p_book AND p.business_date = x.date AND p.locked_at IS NOT NULL
    LEFT JOIN ledger_closure l ON l.account_id IN (v_debit, v_credit)
    WHERE p.book_id IS NULL AND l.account_id IS NULL
    ON CONFLICT DO NOTHING RETURNING k.transaction_id INTO transaction_id;
    IF transaction_id IS NULL THEN
        RETURN;
    ELSIF v_credit_rule = 'none' THEN
        IF v_debit_rule = 'debits_must_not_exceed_credits' THEN
            UPDATE ledger_account
            SET debits_posted = debits_posted + v_posted, debits_pending = debits_pending + v_pending
            WHERE id = v_debit AND debits_posted + debits_pending + p_amount <= credits_posted;
            IF NOT FOUND THEN
                code := 'exceeds_credits';
            END IF;
        ELSIF v_debit_rule <> 'none' THEN
            UPDATE ledger_account
            SET debits_posted = debits_posted + v_posted, debits_pending = debits_pending + v_pending
            WHERE id = v_debit;
        END IF;
    ELSIF v_debit_rule = 'none' THEN
        IF v_credit_rule = 'credits_must_not_exceed_debits' THEN
            UPDATE ledger_account
            SET credits_posted = credits_posted + v_posted, credits_pending = credits_pending + v_pending
            WHERE id = v_credit AND credits_posted + credits_pending + p_amount <= debits_posted;
            IF NOT FOUND THEN
                code := 'exceeds_debits';
            END IF;
        ELSE
            UPDATE ledger_account
            SET credits_posted = credits_posted + v_posted, credits_pending = credits_pending + v_pending
            WHERE id = v_credit;
        END IF;
    ELSE
        -- Both are locked by id and decided upon, then moved by a second statement, whose snapshot is taken under the locks:
        -- one statement for both, a lock and an update of the same rows, let an account be overdrawn when it had waited.
        SELECT CASE
            WHEN bool_or(a.id = v_debit AND a.balance_rule = 'debits_must_not_exceed_credits'
                         AND a.debits_posted + a.debits_pending + p_amount > a.credits_posted) THEN 'exceeds_credits'
            WHEN bool_or(a.id = v_credit AND a.balance_rule = 'credits_must_not_exceed_debits'
                         AND a.credits_posted + a.credits_pending + p_amount > a.debits_posted) THEN 'exceeds_debits'
        END INTO code
        FROM (SELECT id, balance_rule, debits_posted, credits_posted, debits_pending, credits_pending
              FROM ledger_account WHERE id IN (v_debit, v_credit) ORDER BY id FOR UPDATE) AS a;
        IF code IS NULL THEN
            UPDATE ledger_account
            SET debits_posted = debits_posted + CASE id WHEN v_debit THEN v_posted ELSE 0 END,
                debits_pending = debits_pending + CASE id WHEN v_debit THEN v_pending ELSE 0 END,
                credits_posted = credits_posted + CASE id WHEN v_credit THEN v_posted ELSE 0 END,
                credits_pending = credits_pending + CASE id WHEN v_credit THEN v_pending ELSE 0 END
            WHERE id IN (v_debit, v_credit);
        END IF;
    END IF;
    IF code IS NOT NULL THEN
        transaction_id := NULL;
        RETURN;
    END IF;

    IF p_phase = 'reserve' THEN
        INSERT INTO ledger_hold (transaction_id, book_id, state, expires_at)
        VALUES (transaction_id, p_book, 'open',
                CASE WHEN p_timeout > 0 THEN v_now + p_timeout::bigint * interval '1 second' END);
    END IF;
    IF v_debit_rule = 'none' THEN
        INSERT INTO ledger_delta (account_id, debits_posted, credits_posted, debits_pending, credits_pending)
        VALUES (v_debit, v_posted, 0, v_pending, 0);
    END IF;
    IF v_credit_rule = 'none' THEN
        INSERT INTO ledger_delta (account_id, debits_posted, credits_posted, debits_pending, credits_pending)
        VALUES (v_credit, 0, v_posted, 0, v_pending);
    END IF;
    WITH posted AS (
        INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, debit_account_id, credit_account_id,
                                    asset, amount_minor)
        VALUES (uuidv7(), transaction_id, 0, p_book, CASE p_phase WHEN 'plain' THEN 'posted' ELSE 'pending' END,
                v_debit, v_credit, p_asset, p_amount)
    ), unsealed AS (
        INSERT INTO ledger_unsealed (transaction_id, book_id) VALUES (transaction_id, p_book)
    )
    INSERT INTO ledger_transaction (id, book_id, key, event_type, phase, subject, refs, metadata, request_id,
                                    effective_at, recorded_at, timeout_seconds, template_version)
    VALUES (transaction_id, p_book, p_key, p_event_type, p_phase, p_subject, p_refs, p_metadata, p_request_id, v_effective,
            v_now, p_timeout, p_template_version);
    code := 'created';
END $$;
