-- A reserve and the settle of all of it in one list: what an instant transfer is. The case of `ledger_post_in_sets` that
-- is posted most, in four statements; same order of locks, same rows.
--
-- What the reserve takes the settle posts, so that each account gives and gets what the settle's postings say, and nothing is
-- pending in between. Null where it is not such a list, and where anything of it may be refused: then nothing has been written.
CREATE OR REPLACE FUNCTION ledger_post_pair(
    p_book smallint, p_items jsonb, p_item integer[], p_debit text[], p_credit text[], p_asset text[],
    p_amount numeric[], p_now timestamptz)
RETURNS uuid[] LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    v_number constant integer := cardinality(p_item) / 2;
    v_hold constant jsonb := p_items -> 0;
    v_settle constant jsonb := p_items -> 1;
    v_id uuid[];
    v_key text[];
    v_debit bigint[];
    v_credit bigint[];
    v_ruled boolean[];  -- of the debited accounts, then of the credited ones
    v_date date;
    v_held boolean;
    v_fits boolean;
    v_found integer;
    v_stem text;
    v_low bigint;
BEGIN
    -- 1 the items, and that both have the same postings
    IF (v_number > 0 AND p_item = array_fill(1, ARRAY[v_number]) || array_fill(2, ARRAY[v_number])
        AND p_debit = p_debit[1:v_number] || p_debit[1:v_number] AND p_credit = p_credit[1:v_number] || p_credit[1:v_number]
        AND p_asset = p_asset[1:v_number] || p_asset[1:v_number] AND p_amount = p_amount[1:v_number] || p_amount[1:v_number]
        AND v_hold ->> 'phase' = 'reserve' AND v_settle ->> 'phase' = 'settle'
        AND v_settle ->> 'hold_key' = v_hold ->> 'key' AND v_hold ->> 'hold_key' IS NULL
        AND coalesce(v_hold ->> 'effective_at', v_settle ->> 'effective_at') IS NULL
        AND coalesce(v_hold ->> 'flags', '[]') = '[]' AND coalesce(v_settle ->> 'flags', '[]') = '[]'
        AND length(v_hold ->> 'key') BETWEEN 1 AND 255 AND length(v_settle ->> 'key') BETWEEN 1 AND 255
        AND NOT starts_with(v_hold ->> 'key', 'expire:') AND NOT starts_with(v_settle ->> 'key', 'expire:')
        AND v_hold ->> 'event_type' <> '' AND v_settle ->> 'event_type' <> ''
        AND coalesce((v_hold ->> 'timeout')::numeric, 0) BETWEEN 0 AND 4294967295
        AND coalesce((v_hold ->> 'timeout')::numeric, 0) = trunc(coalesce((v_hold ->> 'timeout')::numeric, 0))
        AND coalesce((v_settle ->> 'timeout')::numeric, 0) = 0
        AND (v_settle ->> 'linked')::boolean IS NOT TRUE) IS NOT TRUE THEN
        RETURN NULL;
    END IF;

    -- 2 the accounts of the postings, and the locks on the date and on closing. What can change meanwhile is read by the next
    -- statement. 2^96 and 2^127: far from any limit.
    SELECT p.fits, p.found, p.debit, p.credit, p.ruled, (p_now AT TIME ZONE b.close_zone)::date,
           ARRAY[v_hold ->> 'key', v_settle ->> 'key'], ARRAY[uuidv7(), uuidv7()],
           pg_advisory_xact_lock_shared(
               740000 + p_book, (p_now AT TIME ZONE b.close_zone)::date - DATE '2000-01-01') IS NULL,
           pg_advisory_xact_lock_shared(742000 + p_book, 0) IS NULL
    INTO v_fits, v_found, v_debit, v_credit, v_ruled, v_date, v_key, v_id, v_held, v_held
    FROM ledger_book b CROSS JOIN (
        SELECT bool_and((u.amount > 0 AND u.amount < 79228162514264337593543950336 AND u.amount = trunc(u.amount)
                         AND d.id <> c.id
                         AND d.debits_posted + d.debits_pending < 170141183460469231731687303715884105728
                         AND c.credits_posted + c.credits_pending < 170141183460469231731687303715884105728) IS TRUE) AS fits,
               count(*) AS found, array_agg(d.id ORDER BY u.n) AS debit, array_agg(c.id ORDER BY u.n) AS credit,
               array_agg(d.balance_rule <> 'none' ORDER BY u.n) || array_agg(c.balance_rule <> 'none' ORDER BY u.n) AS ruled
        FROM unnest(p_debit, p_credit, p_asset, p_amount) WITH ORDINALITY AS u (debit, credit, asset, amount, n)
        CROSS JOIN LATERAL (  -- account by account: how many there are in the book does not matter
            SELECT a.id, a.balance_rule, a.debits_posted, a.debits_pending FROM ledger_account a
            WHERE a.book_id = p_book AND a.address = u.debit AND a.asset = u.asset OFFSET 0) AS d
        CROSS JOIN LATERAL (
            SELECT a.id, a.balance_rule, a.credits_posted, a.credits_pending FROM ledger_account a
            WHERE a.book_id = p_book AND a.address = u.credit AND a.asset = u.asset OFFSET 0) AS c
        WHERE u.n <= v_number
    ) AS p
    WHERE b.id = p_book;
    IF v_fits IS NOT TRUE OR v_found <> v_number THEN
        RETURN NULL;
    END IF;

    -- 3 the keys, on an open date and between open accounts. Joins, not EXISTS: see ledger_post_one.
    INSERT INTO ledger_key (book_id, key, transaction_id)
    SELECT p_book, u.key, u.id
    FROM unnest(v_key, v_id) AS u (key, id)
    LEFT JOIN ledger_period p ON p.book_id = p_book AND p.business_date = v_date AND p.locked_at IS NOT NULL
    LEFT JOIN ledger_closure l ON l.account_id = ANY (v_debit || v_credit)
    WHERE p.book_id IS NULL AND l.account_id IS NULL
    ORDER BY u.key ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_found = ROW_COUNT;
    v_fits := v_found = 2;

    -- 4 the accounts with a balance rule: locked in id order, and each must bear what it gives before it gets anything
    IF v_fits AND true = ANY (v_ruled) THEN
        SELECT bool_and(CASE a.balance_rule
            WHEN 'debits_must_not_exceed_credits' THEN a.debits_posted + a.debits_pending + a.dp <= a.credits_posted
            ELSE a.credits_posted + a.credits_pending + a.cp <= a.debits_posted END)
        INTO v_fits
        FROM (SELECT a.balance_rule, a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending, e.dp, e.cp
              FROM (SELECT u.id, sum(CASE WHEN u.n <= v_number THEN u.amount ELSE 0 END) AS dp,
                           sum(CASE WHEN u.n > v_number THEN u.amount ELSE 0 END) AS cp
                    FROM unnest(v_debit || v_credit, v_ruled, p_amount) WITH ORDINALITY AS u (id, ruled, amount, n)
                    WHERE u.ruled GROUP BY u.id) AS e
              JOIN ledger_account a ON a.id = e.id
              ORDER BY a.id FOR UPDATE OF a) AS a;
    END IF;
    IF NOT v_fits THEN
        IF v_found > 0 THEN
            DELETE FROM ledger_key k USING unnest(v_key, v_id) AS u (key, id)
            WHERE k.book_id = p_book AND k.key = u.key AND k.transaction_id = u.id;
        END IF;
        RETURN NULL;
    END IF;

    -- 5 write. The postings' ids count from one that is made after the locks: an account's statement goes by them.
    v_stem := uuidv7();
    v_low := ('x' || right(v_stem, 12))::bit(48)::bigint & 70368744177663 | 140737488355328;
    v_stem := left(v_stem, 24);
    WITH e AS MATERIALIZED (
        SELECT u.id, bool_or(u.ruled) AS ruled, sum(CASE WHEN u.n <= v_number THEN u.amount ELSE 0 END) AS dp,
               sum(CASE WHEN u.n > v_number THEN u.amount ELSE 0 END) AS cp
        FROM unnest(v_debit || v_credit, v_ruled, p_amount) WITH ORDINALITY AS u (id, ruled, amount, n) GROUP BY u.id
    ), moved AS (
        UPDATE ledger_account a SET debits_posted = a.debits_posted + e.dp, credits_posted = a.credits_posted + e.cp
        FROM e WHERE a.id = e.id AND e.ruled
    ), delta AS (
        INSERT INTO ledger_delta (account_id, debits_posted, credits_posted, debits_pending, credits_pending)
        SELECT e.id, e.dp, e.cp, 0, 0 FROM e WHERE NOT e.ruled ORDER BY e.id
    ), held AS (
        INSERT INTO ledger_hold (transaction_id, book_id, state, expires_at, ended_by, ended_at)
        VALUES (v_id[1], p_book, 'posted', p_now + nullif((v_hold ->> 'timeout')::numeric::bigint, 0) * interval '1 second',
                v_id[2], p_now)
    ), posted AS (
        INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, pending_id, debit_account_id,
                                    credit_account_id, asset, amount_minor)
        SELECT (v_stem || to_hex(v_low + p.n))::uuid, v_id[p.item], p.n - 1 - (p.item - 1) * v_number, p_book,
               CASE p.item WHEN 1 THEN 'pending' ELSE 'post' END,
               CASE p.item WHEN 2 THEN (v_stem || to_hex(v_low + p.n - v_number))::uuid END,
               p.debit, p.credit, p.asset, p.amount
        FROM unnest(p_item, v_debit || v_debit, v_credit || v_credit, p_asset, p_amount) WITH ORDINALITY
             AS p (item, debit, credit, asset, amount, n)
    ), unsealed AS (
        INSERT INTO ledger_unsealed (transaction_id, book_id) VALUES (v_id[1], p_book), (v_id[2], p_book)
    )
    INSERT INTO ledger_transaction (id, book_id, key, event_type, phase, subject, refs, metadata, request_id,
                                    effective_at, recorded_at, timeout_seconds, hold_id, template_version)
    SELECT v_id[u.n], p_book, v_key[u.n], u.event_type, u.phase, coalesce(u.subject, ''), coalesce(u.refs, '{}'),
           coalesce(u.metadata, '{}'), coalesce(u.request_id, ''), p_now, p_now, coalesce(u.timeout, 0),
           CASE u.n WHEN 2 THEN v_id[1] END, u.template_version
    FROM ROWS FROM (jsonb_to_recordset(p_items) AS (event_type text, phase text, subject text, refs jsonb, metadata jsonb,
         request_id text, timeout numeric, template_version bigint)) WITH ORDINALITY
         AS u (event_type, phase, subject, refs, metadata, request_id, timeout, template_version, n);
    RETURN v_id;
END $$;
