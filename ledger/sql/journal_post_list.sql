-- A list of transactions, in full.
--
--   1 read the items; refuse what no balance could make right (burns no key)
--   2 hold the business dates open; move what falls into a locked one to the first open instant; hold the accounts open,
--     or, for a list that closes some, wait until nobody posts
--   3 insert the keys in one sorted statement; look up those that were there
--   4 lock the holds that end here, then the accounts with a balance rule, each in id order
--   5 decide item by item, in memory, in the order of the list
--   6 write transactions, postings, holds, balances and deltas, one statement each; free the keys of what failed for
--     no transient reason
--
-- Numbers of items and postings count from 1; in the maps `at_…` they stand under an id.
CREATE OR REPLACE FUNCTION ledger_post_list(
    p_book smallint, p_items jsonb, p_item integer[], p_debit text[], p_credit text[], p_asset text[],
    p_amount numeric[], p_now timestamptz)
RETURNS TABLE (item integer, code text, transaction_id uuid, failed_position integer, amounts numeric[])
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    c_maximum constant numeric := 340282366920938463463374607431768211455;  -- 2^128 - 1
    c_far constant numeric := 79228162514264337593543950336;  -- 2^96
    c_half constant numeric := 170141183460469231731687303715884105728;  -- 2^127
    c_burn constant text[] := '{debit_account_not_found, credit_account_not_found, pending_transfer_not_found,
                                exceeds_credits, exceeds_debits, debit_account_already_closed,
                                credit_account_already_closed}';
    c_flags constant jsonb := '["balancing_debit", "balancing_credit", "closing_debit", "closing_credit"]';
    v_zone text;
    -- items
    v_count integer;
    v_key text[];
    v_phase text[];
    v_hold_key text[];
    v_timeout numeric[];
    v_linked boolean[];
    v_refuse boolean[];
    v_flags text[];  -- sorted, with commas between them; null for none
    v_closing boolean;
    v_effective timestamptz[];
    v_value_date timestamptz[];
    v_id uuid[];
    v_owns boolean[];
    v_stood uuid[];
    v_code text[];
    v_failed integer[];
    v_hold uuid[];
    v_refused boolean := false;
    v_ends boolean;
    v_dates integer;
    v_balancing boolean;
    -- postings asked
    v_first integer[];
    v_last integer[];
    v_debit bigint[];
    v_credit bigint[];
    v_exact boolean;  -- all accounts are locked, also those without a balance rule
    v_locked_dates date[] := '{}';
    v_stem text;  -- of ids: the first 24 characters of a UUID
    v_low bigint;  -- and the number from which its last 12 count on
    v_open timestamptz;
    v_date date;
    -- holds that may end here, and their pendings
    at_hold jsonb := '{}';
    h_stored integer := 0;
    h_id uuid[] := '{}';
    h_state text[] := '{}';
    h_expires timestamptz[] := '{}';
    h_from integer[] := '{}';
    h_to integer[] := '{}';
    h_ended_by uuid[] := '{}';
    h_count integer := 0;
    q_id uuid[] := '{}';
    q_hold uuid[] := '{}';
    q_debit bigint[] := '{}';
    q_credit bigint[] := '{}';
    q_asset text[] := '{}';
    q_amount numeric[] := '{}';
    q_count integer := 0;
    q_send numeric[];
    -- locked accounts, with running balances
    at_account jsonb;
    a_id bigint[];
    a_rule text[];
    a_dp numeric[];
    a_cp numeric[];
    a_dq numeric[];
    a_cq numeric[];
    -- closed accounts, and the transaction that closed each; kept only where there may be some
    v_closures boolean;
    at_closed jsonb := '{}';
    at_closed_before jsonb := '{}';
    v_item_closed jsonb;
    v_chain_closed jsonb;
    -- what will be written
    o_count integer := 0;
    o_id uuid[] := '{}';
    o_item integer[] := '{}';
    o_position integer[] := '{}';
    o_kind text[] := '{}';
    o_pending uuid[] := '{}';
    o_whole numeric[] := '{}';
    o_debit bigint[] := '{}';
    o_credit bigint[] := '{}';
    o_asset text[] := '{}';
    o_amount numeric[] := '{}';
    -- the loop
    f integer;
    h integer;
    i integer;
    j integer;
    k integer;
    x integer;
    y integer;
    v_result text;
    v_position integer;
    v_item_start integer;
    v_item_holds integer;
    v_item_pendings integer;
    v_undo_to integer;
    v_chain integer := 0;
    v_chain_start integer := 0;
    v_chain_holds integer := 0;
    v_chain_pendings integer := 0;
    v_chain_failed boolean := false;
    v_kind text;
    v_amount numeric;
    v_left numeric;
BEGIN
    SELECT close_zone INTO v_zone FROM ledger_book WHERE id = p_book;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no book %', p_book;
    END IF;

    -- 1 read the items. One random UUIDv7 counted on gives a list's ids (RFC 9562, 6.2, method 2): each new one would be
    -- a read from the kernel. Those of postings count from another, made after the locks: an account's statement goes by
    -- them, and so by the order of its balances.
    v_stem := uuidv7();
    v_low := ('x' || right(v_stem, 12))::bit(48)::bigint & 140737488355327;
    v_stem := left(v_stem, 24);
    SELECT count(*), array_agg(i.key ORDER BY i.n), array_agg(coalesce(i.phase, 'plain') ORDER BY i.n),
           array_agg(i.hold_key ORDER BY i.n), array_agg(coalesce(i.timeout, 0) ORDER BY i.n),
           array_agg(coalesce(i.linked, false) ORDER BY i.n), array_agg(coalesce(i.refuse_locked, false) ORDER BY i.n),
           array_agg(CASE WHEN jsonb_typeof(i.flags) = 'array' THEN
               (SELECT string_agg(DISTINCT f, ',' ORDER BY f) FROM jsonb_array_elements_text(i.flags) AS f) END ORDER BY i.n),
           coalesce(bool_or(i.flags ?| '{closing_debit,closing_credit}'), false),
           coalesce(bool_or(i.flags ?| '{balancing_debit,balancing_credit}'), false),
           array_agg(coalesce(i.effective_at, p_now) ORDER BY i.n), array_agg(NULL::timestamptz),
           array_agg((v_stem || lpad(to_hex(v_low + i.n), 12, '0'))::uuid ORDER BY i.n), array_agg(NULL::integer), array_agg(NULL::uuid), array_agg(NULL::uuid),
           array_agg(CASE
               WHEN jsonb_typeof(i.flags) <> 'null' AND (jsonb_typeof(i.flags) <> 'array' OR NOT i.flags <@ c_flags) THEN 'reserved_flag'
               WHEN coalesce(i.key, '') = '' THEN 'id_must_not_be_zero'
               WHEN length(i.key) > 255 THEN 'id_must_not_be_too_long'
               WHEN starts_with(i.key, 'expire:') AND i.phase IS DISTINCT FROM 'expire' THEN 'id_must_not_be_reserved'
               WHEN i.phase NOT IN ('plain', 'reserve', 'settle', 'release', 'expire')
                 OR (i.phase IN ('settle', 'release', 'expire') AND jsonb_typeof(i.flags) = 'array' AND i.flags <> '[]')
                   THEN 'flags_are_mutually_exclusive'
               WHEN coalesce(i.event_type, '') = '' THEN 'code_must_not_be_zero'
               WHEN i.phase IN ('settle', 'release', 'expire') THEN CASE
                   WHEN i.hold_key IS NULL THEN 'pending_id_must_not_be_zero'
                   WHEN i.hold_key = i.key THEN 'pending_id_must_be_different'
                   WHEN i.timeout <> 0 THEN 'timeout_reserved_for_pending_transfer' END
               WHEN i.hold_key IS NOT NULL THEN 'pending_id_must_be_zero'
               WHEN i.phase = 'reserve' THEN CASE
                   WHEN i.timeout NOT BETWEEN 0 AND 4294967295 OR i.timeout <> trunc(i.timeout) THEN 'overflows_timeout' END
               WHEN i.timeout <> 0 THEN 'timeout_reserved_for_pending_transfer'
               WHEN i.flags ?| '{closing_debit,closing_credit}' THEN 'closing_transfer_must_be_pending'
           END ORDER BY i.n),
           bool_or(i.phase IN ('settle', 'release', 'expire')), count(DISTINCT i.effective_at)
    INTO v_count, v_key, v_phase, v_hold_key, v_timeout, v_linked, v_refuse, v_flags, v_closing, v_balancing, v_effective,
         v_value_date, v_id, v_failed, v_hold, v_stood, v_code, v_ends, v_dates
    FROM ROWS FROM (jsonb_to_recordset(p_items) AS (key text, event_type text, phase text, hold_key text,
         timeout numeric, linked boolean, refuse_locked boolean, effective_at timestamptz, flags jsonb)) WITH ORDINALITY
         AS i (key, event_type, phase, hold_key, timeout, linked, refuse_locked, effective_at, flags, n);
    IF v_count = 0 THEN
        RETURN;
    END IF;

    SELECT array_agg(d.id ORDER BY p.n), array_agg(c.id ORDER BY p.n), v_balancing OR
           coalesce(bool_or(p.amount >= c_far OR d.debits_posted + d.debits_pending >= c_half
                            OR c.credits_posted + c.credits_pending >= c_half), false)
    INTO v_debit, v_credit, v_exact
    FROM unnest(p_debit, p_credit, p_asset, p_amount) WITH ORDINALITY AS p (debit, credit, asset, amount, n)
    LEFT JOIN ledger_account d ON d.book_id = p_book AND d.address = p.debit AND d.asset = p.asset
    LEFT JOIN ledger_account c ON c.book_id = p_book AND c.address = p.credit AND c.asset = p.asset;

    v_first := array_fill(NULL::integer, ARRAY[v_count]);
    v_last := array_fill(-1, ARRAY[v_count]);
    FOR k IN 1 .. cardinality(p_item) LOOP
        i := p_item[k];
        IF i IS NULL OR i NOT BETWEEN 1 AND v_count THEN
            RAISE EXCEPTION 'posting % belongs to no item', k;
        ELSIF v_first[i] IS NULL THEN
            v_first[i] := k;
        ELSIF v_last[i] <> k - 1 THEN
            RAISE EXCEPTION 'the postings of item % are not together', i;
        END IF;
        v_last[i] := k;
        v_result := CASE
            WHEN p_debit[k] = p_credit[k] THEN 'accounts_must_be_different'
            WHEN p_amount[k] IS NULL OR p_amount[k] < 0 OR (p_amount[k] = 0 AND v_flags[i] IS NULL)
                THEN 'amount_must_not_be_zero'
            WHEN p_amount[k] > c_maximum OR p_amount[k] <> trunc(p_amount[k]) THEN 'overflows_amount'
            WHEN v_phase[i] IN ('release', 'expire') THEN 'pending_transfer_has_different_amount' END;
        IF v_result IS NOT NULL AND v_code[i] IS NULL THEN
            v_code[i] := v_result;
            v_failed[i] := k - v_first[i];
        END IF;
    END LOOP;
    FOR i IN 1 .. v_count LOOP
        IF v_first[i] IS NULL AND v_phase[i] IN ('plain', 'reserve') AND v_code[i] IS NULL THEN
            v_code[i] := 'amount_must_not_be_zero';
        END IF;
        v_refused := v_refused OR v_code[i] IS NOT NULL;
    END LOOP;

    -- 2 hold the dates open
    IF v_dates = 0 THEN
        v_date := (p_now AT TIME ZONE v_zone)::date;
        IF ledger_share_period(p_book, v_date) THEN
            v_locked_dates := ARRAY[v_date];
        END IF;
    ELSE
        FOR v_date IN SELECT DISTINCT (e AT TIME ZONE v_zone)::date AS d FROM unnest(v_effective) AS e ORDER BY d LOOP
            IF ledger_share_period(p_book, v_date) THEN
                v_locked_dates := v_locked_dates || v_date;
            END IF;
        END LOOP;
    END IF;
    IF cardinality(v_locked_dates) > 0 THEN
        v_open := p_now;
        v_date := (p_now AT TIME ZONE v_zone)::date;
        WHILE ledger_share_period(p_book, v_date) LOOP
            v_date := v_date + 1;
            v_open := v_date::timestamp AT TIME ZONE v_zone;
        END LOOP;
        FOR i IN 1 .. v_count LOOP
            IF (v_effective[i] AT TIME ZONE v_zone)::date = ANY (v_locked_dates) THEN
                IF v_refuse[i] THEN
                    v_code[i] := coalesce(v_code[i], 'period_locked');
                    v_refused := true;
                ELSE
                    v_value_date[i] := v_effective[i];
                    v_effective[i] := v_open;
                END IF;
            END IF;
        END LOOP;
    END IF;

    IF v_closing THEN
        PERFORM pg_advisory_xact_lock(742000 + p_book, 0);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(742000 + p_book, 0);
    END IF;

    -- 3 keys, sorted
    WITH inserted AS (
        INSERT INTO ledger_key (book_id, key, transaction_id)
        SELECT p_book, u.key, u.id FROM unnest(v_key, v_id, v_code) WITH ORDINALITY AS u (key, id, code, n)
        WHERE u.code IS NULL ORDER BY u.key, u.n
        ON CONFLICT DO NOTHING
        RETURNING transaction_id
    )
    SELECT array_agg(inserted.transaction_id IS NOT NULL ORDER BY u.n) INTO v_owns
    FROM unnest(v_id) WITH ORDINALITY AS u (id, n) LEFT JOIN inserted ON inserted.transaction_id = u.id;
    IF false = ANY (v_owns) THEN
        SELECT array_agg(k.transaction_id ORDER BY u.n) INTO v_stood
        FROM unnest(v_key) WITH ORDINALITY AS u (key, n) LEFT JOIN ledger_key k ON k.book_id = p_book AND k.key = u.key;
    END IF;

    -- 4 lock holds, then accounts
    IF v_ends THEN
        SELECT array_agg(k.transaction_id ORDER BY u.n) INTO v_hold
        FROM unnest(v_hold_key) WITH ORDINALITY AS u (key, n)
        LEFT JOIN ledger_key k ON k.book_id = p_book AND k.key = u.key;
        SELECT coalesce(array_agg(s.transaction_id), '{}'), coalesce(array_agg(s.state), '{}'),
               coalesce(array_agg(s.expires_at), '{}'), count(*)
        INTO h_id, h_state, h_expires, h_stored
        FROM (SELECT transaction_id, state, expires_at FROM ledger_hold
              WHERE transaction_id = ANY (v_hold) ORDER BY transaction_id FOR UPDATE) AS s;
        h_count := h_stored;
        FOR k IN 1 .. h_count LOOP
            h_from[k] := 1;
            h_to[k] := 0;
            h_ended_by[k] := NULL;
        END LOOP;
        IF h_count > 0 THEN
            SELECT coalesce(jsonb_object_agg(u.id, u.n), '{}') INTO at_hold
            FROM unnest(h_id) WITH ORDINALITY AS u (id, n);
            SELECT array_agg(p.id ORDER BY p.transaction_id, p.position),
                   array_agg(p.transaction_id ORDER BY p.transaction_id, p.position),
                   array_agg(p.debit_account_id ORDER BY p.transaction_id, p.position),
                   array_agg(p.credit_account_id ORDER BY p.transaction_id, p.position),
                   array_agg(p.asset ORDER BY p.transaction_id, p.position),
                   array_agg(p.amount_minor ORDER BY p.transaction_id, p.position), count(*)
            INTO q_id, q_hold, q_debit, q_credit, q_asset, q_amount, q_count
            FROM ledger_posting p WHERE p.transaction_id = ANY (h_id) AND p.kind = 'pending';
            FOR k IN 1 .. q_count LOOP
                h := (at_hold ->> q_hold[k]::text)::integer;
                IF h_to[h] = 0 THEN
                    h_from[h] := k;
                END IF;
                h_to[h] := k;
            END LOOP;
        END IF;
    END IF;

    SELECT coalesce(array_agg(s.id), '{}'), coalesce(array_agg(s.balance_rule), '{}'), array_agg(s.debits_posted),
           array_agg(s.credits_posted), array_agg(s.debits_pending), array_agg(s.credits_pending)
    INTO a_id, a_rule, a_dp, a_cp, a_dq, a_cq
    FROM (SELECT id, balance_rule, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_account
          WHERE id = ANY (v_debit || v_credit || q_debit || q_credit) AND (balance_rule <> 'none' OR v_exact)
          ORDER BY id FOR UPDATE) AS s;
    SELECT coalesce(jsonb_object_agg(u.id, u.n), '{}') INTO at_account
    FROM unnest(a_id) WITH ORDINALITY AS u (id, n);
    IF v_exact THEN  -- near the limits, and where an amount is taken from a balance, the open deltas count too
        SELECT array_agg(a_dp[u.n] + coalesce(d.dp, 0) ORDER BY u.n), array_agg(a_cp[u.n] + coalesce(d.cp, 0) ORDER BY u.n),
               array_agg(a_dq[u.n] + coalesce(d.dq, 0) ORDER BY u.n), array_agg(a_cq[u.n] + coalesce(d.cq, 0) ORDER BY u.n)
        INTO a_dp, a_cp, a_dq, a_cq
        FROM unnest(a_id) WITH ORDINALITY AS u (id, n)
        LEFT JOIN (SELECT account_id, sum(debits_posted) AS dp, sum(credits_posted) AS cp, sum(debits_pending) AS dq,
                          sum(credits_pending) AS cq
                   FROM ledger_delta WHERE account_id = ANY (a_id) GROUP BY account_id) AS d ON d.account_id = u.id;
    END IF;

    IF EXISTS (SELECT FROM ledger_closure) THEN
        SELECT coalesce(jsonb_object_agg(account_id, closed_by), '{}') INTO at_closed
        FROM ledger_closure WHERE account_id = ANY (v_debit || v_credit || q_debit || q_credit);
        at_closed_before := at_closed;
    END IF;
    v_closures := v_closing OR at_closed <> '{}';

    -- 5 decide
    v_stem := uuidv7();
    v_low := ('x' || right(v_stem, 12))::bit(48)::bigint & 140737488355327;
    v_stem := left(v_stem, 24);
    FOR i IN 1 .. v_count LOOP
        v_item_start := o_count;
        v_item_holds := h_count;
        v_item_pendings := q_count;
        v_item_closed := at_closed;
        IF v_chain = 0 AND v_linked[i] THEN
            v_chain := i;
            v_chain_start := o_count;
            v_chain_holds := h_count;
            v_chain_pendings := q_count;
            v_chain_closed := at_closed;
            v_chain_failed := false;
        END IF;
        v_result := NULL;
        v_position := NULL;

        IF v_linked[i] AND i = v_count THEN
            v_result := 'linked_event_chain_open';
        ELSIF v_chain_failed THEN
            v_result := 'linked_event_failed';
        ELSIF NOT v_owns[i] AND v_stood[i] IS NOT NULL THEN
            -- the key was there: from before, or from an earlier item
            f := array_position(v_id, v_stood[i]);
            IF f IS NULL THEN
                v_result := ledger_difference_stored(
                    v_stood[i], p_items -> (i - 1), v_hold[i], v_debit[v_first[i] : v_last[i]],
                    v_credit[v_first[i] : v_last[i]], p_amount[v_first[i] : v_last[i]]);
            ELSIF f < i AND v_code[f] = 'created' THEN
                SELECT ledger_difference(
                    p_items -> (f - 1), v_hold[f], array_agg(u.debit ORDER BY u.n), array_agg(u.credit ORDER BY u.n),
                    array_agg(CASE WHEN u.kind IN ('void', 'expire') THEN 0 ELSE u.amount END ORDER BY u.n),
                    array_agg(u.whole ORDER BY u.n), p_items -> (i - 1), v_hold[i], v_debit[v_first[i] : v_last[i]],
                    v_credit[v_first[i] : v_last[i]], p_amount[v_first[i] : v_last[i]])
                INTO v_result
                FROM unnest(o_item[1 : o_count], o_debit[1 : o_count], o_credit[1 : o_count], o_kind[1 : o_count],
                            o_amount[1 : o_count], o_whole[1 : o_count]) WITH ORDINALITY
                     AS u (item, debit, credit, kind, amount, whole, n)
                WHERE u.item = f;
            ELSIF f < i AND v_code[f] = ANY (c_burn) THEN
                v_result := 'id_already_failed';
            ELSIF f < i AND v_code[i] IS NULL THEN
                -- the earlier item left its key free: this one takes it over, with the id that stands in the key's row
                v_id[f] := v_id[i];
                v_id[i] := v_stood[i];
                v_owns[f] := false;
                v_owns[i] := true;
            END IF;
        END IF;
        IF v_result IS NULL AND v_code[i] IS NOT NULL THEN
            v_result := v_code[i];
            v_position := v_failed[i];
        END IF;

        IF v_result IS NOT NULL THEN
            NULL;
        ELSIF v_phase[i] IN ('plain', 'reserve') THEN
            v_kind := CASE v_phase[i] WHEN 'plain' THEN 'posted' ELSE 'pending' END;
            v_result := 'created';
            FOR k IN v_first[i] .. v_last[i] LOOP
                v_amount := p_amount[k];
                x := (at_account ->> v_debit[k]::text)::integer;
                y := (at_account ->> v_credit[k]::text)::integer;
                IF v_flags[i] LIKE '%balancing_debit%' THEN
                    v_amount := least(v_amount, greatest(a_cp[x] - a_dp[x] - a_dq[x], 0));
                END IF;
                IF v_flags[i] LIKE '%balancing_credit%' THEN
                    v_amount := least(v_amount, greatest(a_dp[y] - a_cp[y] - a_cq[y], 0));
                END IF;
                v_result := CASE
                    WHEN v_debit[k] IS NULL THEN 'debit_account_not_found'
                    WHEN v_credit[k] IS NULL THEN 'credit_account_not_found'
                    WHEN v_closures AND at_closed ? v_debit[k]::text THEN 'debit_account_already_closed'
                    WHEN v_closures AND at_closed ? v_credit[k]::text THEN 'credit_account_already_closed'
                    WHEN v_kind = 'pending' AND a_dq[x] + v_amount > c_maximum THEN 'overflows_debits_pending'
                    WHEN v_kind = 'pending' AND a_cq[y] + v_amount > c_maximum THEN 'overflows_credits_pending'
                    WHEN v_kind = 'posted' AND a_dp[x] + v_amount > c_maximum THEN 'overflows_debits_posted'
                    WHEN v_kind = 'posted' AND a_cp[y] + v_amount > c_maximum THEN 'overflows_credits_posted'
                    WHEN a_dp[x] + a_dq[x] + v_amount > c_maximum THEN 'overflows_debits'
                    WHEN a_cp[y] + a_cq[y] + v_amount > c_maximum THEN 'overflows_credits'
                    WHEN a_rule[x] = 'debits_must_not_exceed_credits' AND a_dp[x] + a_dq[x] + v_amount > a_cp[x]
                        THEN 'exceeds_credits'
                    WHEN a_rule[y] = 'credits_must_not_exceed_debits' AND a_cp[y] + a_cq[y] + v_amount > a_dp[y]
                        THEN 'exceeds_debits'
                    ELSE 'created' END;
                IF v_result <> 'created' THEN
                    v_position := k - v_first[i];
                    EXIT;
                END IF;
                IF v_flags[i] LIKE '%closing_debit%' THEN
                    at_closed := at_closed || jsonb_build_object(v_debit[k], v_id[i]);
                END IF;
                IF v_flags[i] LIKE '%closing_credit%' THEN
                    at_closed := at_closed || jsonb_build_object(v_credit[k], v_id[i]);
                END IF;
                IF x IS NOT NULL THEN
                    IF v_kind = 'posted' THEN
                        a_dp[x] := a_dp[x] + v_amount;
                    ELSE
                        a_dq[x] := a_dq[x] + v_amount;
                    END IF;
                END IF;
                IF y IS NOT NULL THEN
                    IF v_kind = 'posted' THEN
                        a_cp[y] := a_cp[y] + v_amount;
                    ELSE
                        a_cq[y] := a_cq[y] + v_amount;
                    END IF;
                END IF;
                o_count := o_count + 1;
                o_id[o_count] := v_stem || lpad(to_hex(v_low + o_count), 12, '0');
                o_item[o_count] := i;
                o_position[o_count] := k - v_first[i];
                o_kind[o_count] := v_kind;
                o_pending[o_count] := NULL;
                o_whole[o_count] := v_amount;
                o_debit[o_count] := v_debit[k];
                o_credit[o_count] := v_credit[k];
                o_asset[o_count] := p_asset[k];
                o_amount[o_count] := v_amount;
                IF v_ends AND v_kind = 'pending' THEN
                    q_count := q_count + 1;
                    q_id[q_count] := o_id[o_count];
                    q_debit[q_count] := v_debit[k];
                    q_credit[q_count] := v_credit[k];
                    q_asset[q_count] := p_asset[k];
                    q_amount[q_count] := v_amount;
                END IF;
            END LOOP;
            IF v_result = 'created' AND v_ends AND v_kind = 'pending' THEN
                h_count := h_count + 1;
                h_id[h_count] := v_id[i];
                h_state[h_count] := 'open';
                h_expires[h_count] := CASE WHEN v_timeout[i] > 0
                                           THEN p_now + v_timeout[i]::bigint * interval '1 second' END;
                h_from[h_count] := v_item_pendings + 1;
                h_to[h_count] := q_count;
                h_ended_by[h_count] := NULL;
            END IF;
        ELSE
            h := (at_hold ->> v_hold[i]::text)::integer;
            IF h IS NULL AND h_count > h_stored THEN
                h := h_stored + array_position(h_id[h_stored + 1 : h_count], v_hold[i]);
            END IF;
            IF h IS NULL THEN
                v_result := CASE
                    WHEN coalesce(v_code[array_position(v_id, v_hold[i])] = 'created', false)
                      OR EXISTS (SELECT FROM ledger_transaction WHERE id = v_hold[i]) THEN 'pending_transfer_not_pending'
                    ELSE 'pending_transfer_not_found' END;
            ELSE
                v_result := 'created';
                -- how much of each pending is posted: sends fill the pendings of their accounts, in order
                q_send := array_fill(0::numeric, ARRAY[h_to[h] - h_from[h] + 1]);
                FOR k IN coalesce(v_first[i], 0) .. v_last[i] LOOP
                    v_left := p_amount[k];
                    x := NULL;
                    FOR j IN h_from[h] .. h_to[h] LOOP
                        IF q_debit[j] = v_debit[k] AND q_credit[j] = v_credit[k] AND q_asset[j] = p_asset[k] THEN
                            x := j - h_from[h] + 1;
                            v_amount := least(v_left, q_amount[j] - q_send[x]);
                            q_send[x] := q_send[x] + v_amount;
                            v_left := v_left - v_amount;
                        END IF;
                    END LOOP;
                    v_result := CASE
                        WHEN v_debit[k] IS NULL THEN 'debit_account_not_found'
                        WHEN v_credit[k] IS NULL THEN 'credit_account_not_found'
                        WHEN x IS NULL AND v_debit[k] <> ALL (q_debit[h_from[h] : h_to[h]])
                            THEN 'pending_transfer_has_different_debit_account_id'
                        WHEN x IS NULL THEN 'pending_transfer_has_different_credit_account_id'
                        WHEN v_left > 0 AND p_amount[k] <> c_maximum THEN 'exceeds_pending_transfer_amount'
                        ELSE 'created' END;
                    IF v_result <> 'created' THEN
                        v_position := k - v_first[i];
                        EXIT;
                    END IF;
                END LOOP;
                IF v_result = 'created' THEN
                    v_result := CASE
                        WHEN h_state[h] = 'expired' THEN 'pending_transfer_expired'
                        WHEN h_state[h] <> 'open' THEN 'pending_transfer_already_' || h_state[h]
                        WHEN v_phase[i] = 'expire' AND (h_expires[h] IS NULL OR h_expires[h] > p_now)
                            THEN 'pending_transfer_not_expired'
                        WHEN v_phase[i] <> 'expire' AND h_expires[h] <= p_now THEN 'pending_transfer_expired'
                        ELSE 'created' END;
                END IF;
                IF v_result = 'created' AND v_closures THEN
                    FOR k IN coalesce(v_first[i], 0) .. v_last[i] LOOP
                        v_result := CASE WHEN at_closed ? v_debit[k]::text THEN 'debit_account_already_closed'
                                         WHEN at_closed ? v_credit[k]::text THEN 'credit_account_already_closed'
                                         ELSE 'created' END;
                        IF v_result <> 'created' THEN
                            v_position := k - v_first[i];
                            EXIT;
                        END IF;
                    END LOOP;
                    IF v_result = 'created' THEN  -- what this hold closed opens again
                        SELECT coalesce(jsonb_object_agg(c.key, c.value), '{}') INTO at_closed
                        FROM jsonb_each_text(at_closed) AS c WHERE c.value <> h_id[h]::text;
                    END IF;
                END IF;
                IF v_result = 'created' THEN
                    FOR k IN h_from[h] .. h_to[h] LOOP
                        v_amount := q_send[k - h_from[h] + 1];
                        x := (at_account ->> q_debit[k]::text)::integer;
                        y := (at_account ->> q_credit[k]::text)::integer;
                        IF x IS NOT NULL THEN
                            a_dq[x] := a_dq[x] - q_amount[k];
                            a_dp[x] := a_dp[x] + v_amount;
                        END IF;
                        IF y IS NOT NULL THEN
                            a_cq[y] := a_cq[y] - q_amount[k];
                            a_cp[y] := a_cp[y] + v_amount;
                        END IF;
                        o_count := o_count + 1;
                        o_id[o_count] := v_stem || lpad(to_hex(v_low + o_count), 12, '0');
                        o_item[o_count] := i;
                        o_position[o_count] := k - h_from[h];
                        o_kind[o_count] := CASE WHEN v_amount > 0 THEN 'post' WHEN v_phase[i] = 'expire' THEN 'expire'
                                           ELSE 'void' END;
                        o_pending[o_count] := q_id[k];
                        o_whole[o_count] := q_amount[k];
                        o_debit[o_count] := q_debit[k];
                        o_credit[o_count] := q_credit[k];
                        o_asset[o_count] := q_asset[k];
                        o_amount[o_count] := CASE WHEN v_amount > 0 THEN v_amount ELSE q_amount[k] END;
                    END LOOP;
                    h_state[h] := CASE v_phase[i] WHEN 'settle' THEN 'posted' WHEN 'release' THEN 'voided'
                                  ELSE 'expired' END;
                    h_ended_by[h] := v_id[i];
                END IF;
            END IF;
        END IF;

        v_code[i] := v_result;
        v_failed[i] := v_position;
        v_refused := v_refused OR v_result <> 'created';
        v_undo_to := NULL;
        IF v_result <> 'created' AND v_chain = 0 THEN
            v_undo_to := v_item_start;
            h_count := v_item_holds;
            q_count := v_item_pendings;
            at_closed := v_item_closed;
        ELSIF v_result <> 'created' AND NOT v_chain_failed THEN
            v_chain_failed := true;
            v_undo_to := v_chain_start;
            h_count := v_chain_holds;
            q_count := v_chain_pendings;
            at_closed := v_chain_closed;
            FOR j IN v_chain .. i - 1 LOOP
                v_code[j] := 'linked_event_failed';
                FOR k IN 1 .. h_count LOOP
                    IF h_ended_by[k] = v_id[j] THEN
                        h_state[k] := 'open';
                        h_ended_by[k] := NULL;
                    END IF;
                END LOOP;
            END LOOP;
        END IF;
        IF v_undo_to IS NOT NULL THEN
            FOR k IN REVERSE o_count .. v_undo_to + 1 LOOP
                x := (at_account ->> o_debit[k]::text)::integer;
                y := (at_account ->> o_credit[k]::text)::integer;
                v_amount := CASE WHEN o_kind[k] IN ('posted', 'post') THEN o_amount[k] ELSE 0 END;
                v_left := CASE o_kind[k] WHEN 'posted' THEN 0 WHEN 'pending' THEN o_whole[k] ELSE -o_whole[k] END;
                IF x IS NOT NULL THEN
                    a_dp[x] := a_dp[x] - v_amount;
                    a_dq[x] := a_dq[x] - v_left;
                END IF;
                IF y IS NOT NULL THEN
                    a_cp[y] := a_cp[y] - v_amount;
                    a_cq[y] := a_cq[y] - v_left;
                END IF;
            END LOOP;
            o_count := v_undo_to;
        END IF;
        IF NOT v_linked[i] THEN
            v_chain := 0;
            v_chain_failed := false;
        END IF;
    END LOOP;

    -- 6 write
    IF o_count > 0 THEN
        WITH unsealed AS (
            INSERT INTO ledger_unsealed (transaction_id, book_id)
            SELECT u.id, p_book FROM unnest(v_id, v_code) AS u (id, code) WHERE u.code = 'created'
        )
        INSERT INTO ledger_transaction (id, book_id, key, event_type, phase, subject, refs, metadata, request_id,
                                        effective_at, value_date, recorded_at, timeout_seconds, hold_id, flags, locked_date,
                                        template_version)
        SELECT u.id, p_book, u.key, i.event_type, u.phase, coalesce(i.subject, ''), coalesce(i.refs, '{}'),
               coalesce(i.metadata, '{}'), coalesce(i.request_id, ''), u.effective, u.value_date, p_now, u.timeout, u.hold,
               string_to_array(u.flags, ','), (u.value_date AT TIME ZONE v_zone)::date,
               i.template_version
        FROM unnest(v_id, v_key, v_phase, v_effective, v_value_date, v_timeout, v_hold, v_flags, v_code) WITH ORDINALITY
             AS u (id, key, phase, effective, value_date, timeout, hold, flags, code, n)
        JOIN ROWS FROM (jsonb_to_recordset(p_items) AS (event_type text, subject text, refs jsonb, metadata jsonb,
             request_id text, template_version bigint)) WITH ORDINALITY
             AS i (event_type, subject, refs, metadata, request_id, template_version, n) ON i.n = u.n
        WHERE u.code = 'created';

        INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, pending_id, debit_account_id,
                                    credit_account_id, asset, amount_minor)
        SELECT u.id, v_id[u.item], u.position, p_book, u.kind, u.pending, u.debit, u.credit, u.asset, u.amount
        FROM unnest(o_id[1 : o_count], o_item[1 : o_count], o_position[1 : o_count], o_kind[1 : o_count],
                    o_pending[1 : o_count], o_debit[1 : o_count], o_credit[1 : o_count], o_asset[1 : o_count],
                    o_amount[1 : o_count]) AS u (id, item, position, kind, pending, debit, credit, asset, amount);

        IF 'reserve' = ANY (v_phase) THEN
            INSERT INTO ledger_hold (transaction_id, book_id, state, expires_at)
            SELECT u.id, p_book, 'open',
                   CASE WHEN u.timeout > 0 THEN p_now + u.timeout::bigint * interval '1 second' END
            FROM unnest(v_id, v_phase, v_timeout, v_code) AS u (id, phase, timeout, code)
            WHERE u.code = 'created' AND u.phase = 'reserve';
        END IF;
        IF v_ends THEN
            UPDATE ledger_hold l SET state = u.state, ended_by = u.ended_by, ended_at = p_now
            FROM unnest(h_id[1 : h_count], h_state[1 : h_count], h_ended_by[1 : h_count]) AS u (id, state, ended_by)
            WHERE l.transaction_id = u.id AND u.ended_by IS NOT NULL
              AND l.transaction_id = ANY (h_id);  -- by id, however many holds there are
        END IF;

        WITH effects AS MATERIALIZED (
            SELECT CASE side WHEN 0 THEN u.debit ELSE u.credit END AS account_id, side,
                   sum(CASE WHEN u.kind IN ('posted', 'post') THEN u.amount ELSE 0 END) AS posted,
                   sum(CASE u.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN u.whole ELSE -u.whole END) AS pending
            FROM unnest(o_debit[1 : o_count], o_credit[1 : o_count], o_kind[1 : o_count], o_amount[1 : o_count],
                        o_whole[1 : o_count]) AS u (debit, credit, kind, amount, whole),
                 generate_series(0, 1) AS side
            GROUP BY 1, 2
        ), moved AS (
            UPDATE ledger_account a
            SET debits_posted = a.debits_posted + s.dp, credits_posted = a.credits_posted + s.cp,
                debits_pending = a.debits_pending + s.dq, credits_pending = a.credits_pending + s.cq
            FROM (SELECT e.account_id, coalesce(sum(e.posted) FILTER (WHERE e.side = 0), 0) AS dp,
                         coalesce(sum(e.posted) FILTER (WHERE e.side = 1), 0) AS cp,
                         coalesce(sum(e.pending) FILTER (WHERE e.side = 0), 0) AS dq,
                         coalesce(sum(e.pending) FILTER (WHERE e.side = 1), 0) AS cq
                  FROM effects e WHERE at_account ? e.account_id::text GROUP BY e.account_id) AS s
            WHERE a.id = s.account_id
        )
        INSERT INTO ledger_delta (account_id, debits_posted, credits_posted, debits_pending, credits_pending)
        SELECT e.account_id, CASE e.side WHEN 0 THEN e.posted ELSE 0 END, CASE e.side WHEN 1 THEN e.posted ELSE 0 END,
               CASE e.side WHEN 0 THEN e.pending ELSE 0 END, CASE e.side WHEN 1 THEN e.pending ELSE 0 END
        FROM effects e WHERE NOT at_account ? e.account_id::text;
    END IF;
    IF at_closed <> at_closed_before THEN
        DELETE FROM ledger_closure l USING jsonb_each_text(at_closed_before) AS c
        WHERE l.account_id = c.key::bigint AND at_closed ->> c.key IS DISTINCT FROM c.value;
        INSERT INTO ledger_closure (account_id, book_id, closed_by, closed_at)
        SELECT c.key::bigint, p_book, c.value::uuid, p_now FROM jsonb_each_text(at_closed) AS c
        WHERE at_closed_before ->> c.key IS DISTINCT FROM c.value;
    END IF;
    IF v_refused THEN
        DELETE FROM ledger_key
        WHERE book_id = p_book AND (key, transaction_id) IN (
            SELECT u.key, u.id FROM unnest(v_key, v_id, v_owns, v_code) AS u (key, id, owns, code)
            WHERE u.owns AND u.code <> 'created' AND u.code <> ALL (c_burn));
    END IF;

    FOR i IN 1 .. v_count LOOP
        item := i - 1;
        code := v_code[i];
        failed_position := v_failed[i];
        transaction_id := CASE
            WHEN code = 'created' THEN v_id[i]
            WHEN starts_with(code, 'exists')
             AND coalesce(v_code[array_position(v_id, v_stood[i])] = 'created', true) THEN v_stood[i] END;
        amounts := NULL;
        IF v_flags[i] LIKE '%balancing%' AND code IN ('created', 'exists') THEN
            SELECT array_agg(p.amount_minor ORDER BY p.position) INTO amounts
            FROM ledger_posting p WHERE p.transaction_id = CASE code WHEN 'created' THEN v_id[i] ELSE v_stood[i] END;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
