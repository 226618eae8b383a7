-- A list in which nothing is refused, written set by set: what a transfer is, and most long lists.
--
--   1 read the items: plain ones, reserves, and settles of the whole of the reserve just before; fresh keys, no flags, all
--     of now
--   2 read accounts and postings
--   3 take the locks on the date and on closing; what can change meanwhile is read by the next statement
--   4 insert the keys in one sorted statement
--   5 sum up what each account gives and gets
--   6 lock the accounts with a balance rule in id order; each must bear all debits (or credits) of the list before any credit
--     (or debit) of it, so that the order of the list does not matter
--   7 write transactions, postings, holds, balances and deltas
--
-- Locks come in the order of the list's way (ledger_post_list). Where anything is otherwise, null is returned and nothing
-- has been written: the list's way then says what becomes of each item. Whether items are linked matters to what is refused
-- only, and here nothing is.
--
-- What belongs to an item is read by its number from an array, not joined: statements join to indexes alone, so that one
-- plan is good for any length.
CREATE OR REPLACE FUNCTION ledger_post_in_sets(
    p_book smallint, p_items jsonb, p_item integer[], p_debit text[], p_credit text[], p_asset text[],
    p_amount numeric[], p_now timestamptz)
RETURNS uuid[] LANGUAGE plpgsql VOLATILE SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_fits boolean;
    v_settles boolean;
    v_date date;
    v_held boolean;
    -- by the item
    v_id uuid[];
    v_key text[];
    v_phase text[];
    v_hold_key text[];
    v_ended boolean[];  -- a reserve that the next item settles; null where no item settles
    v_first integer[];  -- its first posting, and one beyond the last item's; null where each has one posting
    -- by the posting
    v_debit bigint[];
    v_credit bigint[];
    v_debit_ruled boolean[];
    v_credit_ruled boolean[];
    -- by the account, in id order
    a_id bigint[];
    a_ruled boolean[];
    a_dp numeric[];
    a_cp numeric[];
    a_dq numeric[];
    a_cq numeric[];
    v_stem text;
    v_low bigint;
    v_number integer;
BEGIN
    IF jsonb_array_length(p_items) = 2 AND p_items #>> '{1,phase}' = 'settle' THEN
        RETURN ledger_post_pair(p_book, p_items, p_item, p_debit, p_credit, p_asset, p_amount, p_now);
    END IF;

    -- 1 the items
    v_stem := uuidv7();
    v_low := ('x' || right(v_stem, 12))::bit(48)::bigint & 70368744177663 | 140737488355328;
    v_stem := left(v_stem, 24);
    SELECT bool_and(i.fits), bool_or(i.phase = 'settle'),
           array_agg((v_stem || to_hex(v_low + i.n))::uuid ORDER BY i.n), array_agg(i.key ORDER BY i.n),
           array_agg(i.phase ORDER BY i.n), array_agg(i.hold_key ORDER BY i.n)
    INTO v_fits, v_settles, v_id, v_key, v_phase, v_hold_key
    FROM (
        SELECT x.n, x.key, coalesce(x.phase, 'plain') AS phase, x.hold_key,
               (x.effective_at IS NULL AND coalesce(x.flags, '[]') IN ('[]', 'null') AND length(x.key) BETWEEN 1 AND 255
                AND NOT starts_with(x.key, 'expire:') AND x.event_type <> '' AND CASE coalesce(x.phase, 'plain')
                    WHEN 'plain' THEN x.hold_key IS NULL AND coalesce(x.timeout, 0) = 0
                    WHEN 'reserve' THEN x.hold_key IS NULL AND (x.timeout IS NULL
                        OR x.timeout BETWEEN 0 AND 4294967295 AND x.timeout = trunc(x.timeout))
                    WHEN 'settle' THEN coalesce(x.timeout, 0) = 0
                    ELSE false END) IS TRUE AS fits
        FROM ROWS FROM (jsonb_to_recordset(p_items) AS (key text, event_type text, phase text, hold_key text,
             timeout numeric, effective_at text, flags text)) WITH ORDINALITY
             AS x (key, event_type, phase, hold_key, timeout, effective_at, flags, n)
    ) AS i;
    IF v_fits IS NOT TRUE OR coalesce((p_items #>> '{-1,linked}')::boolean, false)
       OR p_item[cardinality(p_item)] IS DISTINCT FROM cardinality(v_id)  -- the last posting is the last item's
       OR array_lower(p_item, 1) <> 1 THEN
        RETURN NULL;
    ELSIF v_settles THEN
        SELECT bool_and((v_phase[n] <> 'settle' OR v_phase[n - 1] = 'reserve' AND v_hold_key[n] = v_key[n - 1]) IS TRUE),
               array_agg(v_phase[n] = 'reserve' AND v_phase[n + 1] IS NOT DISTINCT FROM 'settle' ORDER BY n)
        INTO v_fits, v_ended
        FROM generate_series(1, cardinality(v_id)) AS n;
        IF NOT v_fits OR array_lower(p_debit, 1) <> 1 OR array_lower(p_credit, 1) <> 1 OR array_lower(p_asset, 1) <> 1
           OR array_lower(p_amount, 1) <> 1 THEN
            RETURN NULL;
        END IF;
    END IF;

    -- 2 the postings, together by item and in the items' order; a settle's are its reserve's. 2^96 and 2^127: far from any limit.
    IF cardinality(p_item) > cardinality(v_id) THEN
        SELECT array_agg(u.n ORDER BY u.n) || cardinality(p_item) + 1 INTO v_first
        FROM unnest(p_item) WITH ORDINALITY AS u (item, n) WHERE u.item IS DISTINCT FROM p_item[u.n - 1];
    END IF;
    SELECT bool_and(p.fits), count(*), array_agg(p.debit ORDER BY p.n), array_agg(p.credit ORDER BY p.n),
           array_agg(p.debit_ruled ORDER BY p.n), array_agg(p.credit_ruled ORDER BY p.n)
    INTO v_fits, v_number, v_debit, v_credit, v_debit_ruled, v_credit_ruled
    FROM (
        SELECT s.n, d.id AS debit, c.id AS credit, d.balance_rule <> 'none' AS debit_ruled,
               c.balance_rule <> 'none' AS credit_ruled,
               (s.amount > 0 AND s.amount < 79228162514264337593543950336 AND s.amount = trunc(s.amount) AND d.id <> c.id
                AND s.item - coalesce(p_item[s.n - 1], 0) IN (0, 1)
                AND d.debits_posted + d.debits_pending < 170141183460469231731687303715884105728
                AND c.credits_posted + c.credits_pending < 170141183460469231731687303715884105728
                AND (s.many IS NULL
                     OR s.many = coalesce(v_first[s.item] - v_first[s.item - 1], 1) AND p_debit[s.n - s.many] = s.debit
                        AND p_credit[s.n - s.many] = s.credit AND p_asset[s.n - s.many] = s.asset
                        AND p_amount[s.n - s.many] = s.amount)) IS TRUE AS fits
        FROM (SELECT u.n::integer, u.item, u.debit, u.credit, u.asset, u.amount,
                     CASE v_phase[u.item] WHEN 'settle' THEN coalesce(v_first[u.item + 1] - v_first[u.item], 1) END AS many
              FROM unnest(p_item, p_debit, p_credit, p_asset, p_amount) WITH ORDINALITY
                   AS u (item, debit, credit, asset, amount, n)) AS s
        CROSS JOIN LATERAL (  -- account by account: how many there are in the book does not matter
            SELECT a.id, a.balance_rule, a.debits_posted, a.debits_pending FROM ledger_account a
            WHERE a.book_id = p_book AND a.address = s.debit AND a.asset = s.asset OFFSET 0) AS d
        CROSS JOIN LATERAL (
            SELECT a.id, a.balance_rule, a.credits_posted, a.credits_pending FROM ledger_account a
            WHERE a.book_id = p_book AND a.address = s.credit AND a.asset = s.asset OFFSET 0) AS c
    ) AS p;
    IF v_fits IS NOT TRUE OR v_number <> cardinality(p_item) THEN
        RETURN NULL;
    END IF;

    -- 3 the locks, then what they hold still
    SELECT x.date, pg_advisory_xact_lock_shared(740000 + p_book, x.date - DATE '2000-01-01') IS NULL,
           pg_advisory_xact_lock_shared(742000 + p_book, 0) IS NULL
    INTO v_date, v_held, v_held
    FROM (SELECT (p_now AT TIME ZONE close_zone)::date AS date FROM ledger_book WHERE id = p_book) AS x;
    IF EXISTS (SELECT FROM ledger_period WHERE book_id = p_book AND business_date = v_date AND locked_at IS NOT NULL)
       OR EXISTS (SELECT FROM ledger_closure WHERE account_id = ANY (v_debit || v_credit)) THEN
        RETURN NULL;
    END IF;

    -- 4 the keys. A list with one that is there is rare, and begins anew: asking for each beforehand costs a look each.
    BEGIN
        INSERT INTO ledger_key (book_id, key, transaction_id)
        SELECT p_book, u.key, u.id FROM unnest(v_key, v_id) AS u (key, id) ORDER BY u.key;
    EXCEPTION WHEN unique_violation THEN
        RETURN NULL;
    END;

    -- 5 what each account gives and gets; of a reserve that is settled at once, the settle alone
    SELECT array_agg(s.id ORDER BY s.id), array_agg(s.ruled ORDER BY s.id), array_agg(s.dp ORDER BY s.id),
           array_agg(s.cp ORDER BY s.id), array_agg(s.dq ORDER BY s.id), array_agg(s.cq ORDER BY s.id)
    INTO a_id, a_ruled, a_dp, a_cp, a_dq, a_cq
    FROM (
        SELECT e.id, bool_or(e.ruled) AS ruled,
               coalesce(sum(e.amount) FILTER (WHERE e.debits AND NOT e.pending), 0) AS dp,
               coalesce(sum(e.amount) FILTER (WHERE NOT e.debits AND NOT e.pending), 0) AS cp,
               coalesce(sum(e.amount) FILTER (WHERE e.debits AND e.pending AND NOT e.ended), 0) AS dq,
               coalesce(sum(e.amount) FILTER (WHERE NOT e.debits AND e.pending AND NOT e.ended), 0) AS cq
        FROM (
            SELECT u.id, u.ruled, u.n <= cardinality(p_item) AS debits, u.amount, v_phase[u.item] = 'reserve' AS pending,
                   coalesce(v_ended[u.item], false) AS ended
            FROM unnest(v_debit || v_credit, v_debit_ruled || v_credit_ruled, p_amount || p_amount, p_item || p_item)
                 WITH ORDINALITY AS u (id, ruled, amount, item, n)
        ) AS e
        GROUP BY e.id
    ) AS s;

    -- 6 the accounts
    IF true = ANY (a_ruled) THEN
        SELECT bool_and(CASE a.balance_rule
            WHEN 'debits_must_not_exceed_credits' THEN a.debits_posted + a.debits_pending + a.dp + a.dq <= a.credits_posted
            ELSE a.credits_posted + a.credits_pending + a.cp + a.cq <= a.debits_posted END)
        INTO v_fits
        FROM (SELECT a.balance_rule, a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending,
                     e.dp, e.cp, e.dq, e.cq
              FROM unnest(a_id, a_ruled, a_dp, a_cp, a_dq, a_cq) AS e (id, ruled, dp, cp, dq, cq)
              JOIN ledger_account a ON a.id = e.id
              WHERE e.ruled ORDER BY a.id FOR UPDATE OF a) AS a;
    END IF;
    IF NOT v_fits THEN
        DELETE FROM ledger_key k USING unnest(v_key, v_id) AS u (key, id)
        WHERE k.book_id = p_book AND k.key = u.key AND k.transaction_id = u.id;
        RETURN NULL;
    END IF;

    -- 7 write. The postings' ids count from one that is made after the locks: an account's statement goes by them.
    v_stem := uuidv7();
    v_low := ('x' || right(v_stem, 12))::bit(48)::bigint & 70368744177663 | 140737488355328;
    v_stem := left(v_stem, 24);
    IF 'reserve' = ANY (v_phase) THEN
        INSERT INTO ledger_hold (transaction_id, book_id, state, expires_at, ended_by, ended_at)
        SELECT u.id, p_book, CASE WHEN u.ended THEN 'posted' ELSE 'open' END,
               CASE WHEN u.timeout > 0 THEN p_now + u.timeout::bigint * interval '1 second' END,
               CASE WHEN u.ended THEN v_id[u.n + 1] END, CASE WHEN u.ended THEN p_now END
        FROM ROWS FROM (unnest(v_id, v_phase, v_ended), jsonb_to_recordset(p_items) AS (timeout numeric))
             WITH ORDINALITY AS u (id, phase, ended, timeout, n)
        WHERE u.phase = 'reserve';
    END IF;
    WITH moved AS (
        UPDATE ledger_account a
        SET debits_posted = a.debits_posted + e.dp, credits_posted = a.credits_posted + e.cp,
            debits_pending = a.debits_pending + e.dq, credits_pending = a.credits_pending + e.cq
        FROM unnest(a_id, a_ruled, a_dp, a_cp, a_dq, a_cq) AS e (id, ruled, dp, cp, dq, cq)
        WHERE a.id = e.id AND e.ruled
    ), delta AS (
        INSERT INTO ledger_delta (account_id, debits_posted, credits_posted, debits_pending, credits_pending)
        SELECT e.id, e.dp, e.cp, e.dq, e.cq
        FROM unnest(a_id, a_ruled, a_dp, a_cp, a_dq, a_cq) AS e (id, ruled, dp, cp, dq, cq) WHERE NOT e.ruled
    ), posted AS (
        INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, pending_id, debit_account_id,
                                    credit_account_id, asset, amount_minor)
        SELECT (v_stem || to_hex(v_low + p.n))::uuid, v_id[p.item],
               p.n - coalesce(v_first[p.item], p.item), p_book,
               CASE v_phase[p.item] WHEN 'plain' THEN 'posted' WHEN 'reserve' THEN 'pending' ELSE 'post' END,
               CASE v_phase[p.item] WHEN 'settle' THEN (v_stem || to_hex(
                   v_low + p.n - coalesce(v_first[p.item + 1] - v_first[p.item], 1)))::uuid END,
               p.debit, p.credit, p.asset, p.amount
        FROM unnest(p_item, v_debit, v_credit, p_asset, p_amount) WITH ORDINALITY AS p (item, debit, credit, asset, amount, n)
    ), unsealed AS (
        INSERT INTO ledger_unsealed (transaction_id, book_id) SELECT u.id, p_book FROM unnest(v_id) AS u (id)
    )
    INSERT INTO ledger_transaction (id, book_id, key, event_type, phase, subject, refs, metadata, request_id,
                                    effective_at, recorded_at, timeout_seconds, hold_id, template_version)
    SELECT u.id, p_book, u.key, u.event_type, u.phase, coalesce(u.subject, ''), coalesce(u.refs, '{}'),
           coalesce(u.metadata, '{}'), coalesce(u.request_id, ''), p_now, p_now, coalesce(u.timeout, 0),
           CASE u.phase WHEN 'settle' THEN v_id[u.n - 1] END, u.template_version
    FROM ROWS FROM (unnest(v_id, v_key, v_phase), jsonb_to_recordset(p_items) AS (event_type text, subject text,
         refs jsonb, metadata jsonb, request_id text, timeout numeric, template_version bigint)) WITH ORDINALITY
         AS u (id, key, phase, event_type, subject, refs, metadata, request_id, timeout, template_version, n);
    RETURN v_id;
END $$;
