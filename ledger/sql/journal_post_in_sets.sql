-- A list in which nothing is refused, written set by set: what a transfer is, and most long lists.
--
--   1 read the items: plain ones, reserves, and settles of the whole of the reserve just before; fresh keys, no flags, all
--     of now
--   2 read accounts and postings, take the locks on the date and on closing; what can change meanwhile is read afterwards
--   3 insert the keys in one sorted statement
--   4 lock the accounts with a balance rule in id order; each must bear all debits (or credits) of the list before any credit
--     (or debit) of it, so that the order of the list does not matter
--   5 write transactions, postings, holds, balances and deltas
--
-- Locks come in the order of the list's way (ledger_post_list). Where anything is otherwise, null is returned and nothing
-- has been written: the list's way then says what becomes of each item. Whether items are linked matters to what is refused
-- only, and here nothing is.
CREATE OR REPLACE FUNCTION ledger_post_in_sets(
    p_book smallint, p_items jsonb, p_item integer[], p_debit text[], p_credit text[], p_asset text[],
    p_amount numeric[], p_now timestamptz)
RETURNS uuid[] LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    v_date date;
    v_fits boolean;
    v_id uuid[];
    v_key text[];
    v_phase text[];
    v_ended boolean[];  -- by the item: a reserve that the next item settles
    v_debit bigint[];
    v_credit bigint[];
    v_position integer[];
    v_back integer[];  -- by the posting: how many before it the pending stands that it posts; null for none
    v_stem text;
    v_low bigint;
    v_number integer;
BEGIN
    -- 1 the items
    v_stem := uuidv7();
    v_low := ('x' || right(v_stem, 12))::bit(48)::bigint & 140737488355327;
    v_stem := left(v_stem, 24);
    SELECT bool_and((i.effective_at IS NULL AND coalesce(i.flags, '[]') IN ('[]', 'null') AND length(i.key) BETWEEN 1 AND 255
               AND NOT starts_with(i.key, 'expire:') AND i.event_type <> '' AND CASE i.phase
                   WHEN 'plain' THEN i.hold_key IS NULL AND i.timeout = 0
                   WHEN 'reserve' THEN i.hold_key IS NULL AND i.timeout BETWEEN 0 AND 4294967295 AND i.timeout = trunc(i.timeout)
                   WHEN 'settle' THEN i.timeout = 0 AND i.before = 'reserve' AND i.hold_key = i.key_before
                   ELSE false END) IS TRUE),
           array_agg((v_stem || lpad(to_hex(v_low + i.n), 12, '0'))::uuid ORDER BY i.n), array_agg(i.key ORDER BY i.n),
           array_agg(i.phase ORDER BY i.n), array_agg(i.after IS NOT DISTINCT FROM 'settle' ORDER BY i.n)
    INTO v_fits, v_id, v_key, v_phase, v_ended
    FROM (
        SELECT x.n, x.key, x.event_type, coalesce(x.phase, 'plain') AS phase, x.hold_key, coalesce(x.timeout, 0) AS timeout,
               x.effective_at, x.flags, lag(x.phase) OVER list AS before, lag(x.key) OVER list AS key_before,
               lead(x.phase) OVER list AS after
        FROM ROWS FROM (jsonb_to_recordset(p_items) AS (key text, event_type text, phase text, hold_key text,
             timeout numeric, effective_at text, flags jsonb)) WITH ORDINALITY
             AS x (key, event_type, phase, hold_key, timeout, effective_at, flags, n)
        WINDOW list AS (ORDER BY x.n)
    ) AS i;
    IF v_fits IS NOT TRUE OR coalesce((p_items #>> '{-1,linked}')::boolean, false) THEN
        RETURN NULL;
    END IF;

    -- 2 the postings, together by item and in the items' order; a settle's are its reserve's. 2^96 and 2^127: far from any limit.
    SELECT bool_and((p.fits AND d.debits_posted + d.debits_pending < 170141183460469231731687303715884105728
                     AND c.credits_posted + c.credits_pending < 170141183460469231731687303715884105728
                     AND d.id <> c.id) IS TRUE) AND min(p.item) = 1 AND max(p.item) = cardinality(v_id)
                    AND count(DISTINCT p.item) = cardinality(v_id),
           array_agg(d.id ORDER BY p.n), array_agg(c.id ORDER BY p.n), array_agg(p.position ORDER BY p.n),
           array_agg(CASE WHEN p.settles THEN p.many END ORDER BY p.n)
    INTO v_fits, v_debit, v_credit, v_position, v_back
    FROM (
        SELECT s.n, s.item, s.debit, s.credit, s.asset, s.settles, s.many,
               (row_number() OVER (PARTITION BY s.item ORDER BY s.n) - 1)::integer AS position,
               s.amount > 0 AND s.amount < 79228162514264337593543950336 AND s.amount = trunc(s.amount)
               AND s.item >= coalesce(lag(s.item) OVER list, 1)
               AND (NOT s.settles OR (
                   lag(s.item, s.many) OVER list = s.item - 1 AND lag(s.many, s.many) OVER list = s.many
                   AND lag(s.debit, s.many) OVER list = s.debit AND lag(s.credit, s.many) OVER list = s.credit
                   AND lag(s.asset, s.many) OVER list = s.asset AND lag(s.amount, s.many) OVER list = s.amount) IS TRUE) AS fits
        FROM (
            SELECT u.n, u.item, u.debit, u.credit, u.asset, u.amount, i.phase = 'settle' AS settles,
                   (count(*) OVER (PARTITION BY u.item))::integer AS many
            FROM unnest(p_item, p_debit, p_credit, p_asset, p_amount) WITH ORDINALITY AS u (item, debit, credit, asset, amount, n)
            JOIN unnest(v_phase) WITH ORDINALITY AS i (phase, n) ON i.n = u.item
        ) AS s
        WINDOW list AS (ORDER BY s.n)
    ) AS p
    CROSS JOIN LATERAL (  -- account by account: how many there are in the book does not matter
        SELECT a.id, a.debits_posted, a.debits_pending FROM ledger_account a
        WHERE a.book_id = p_book AND a.address = p.debit AND a.asset = p.asset OFFSET 0) AS d
    CROSS JOIN LATERAL (
        SELECT a.id, a.credits_posted, a.credits_pending FROM ledger_account a
        WHERE a.book_id = p_book AND a.address = p.credit AND a.asset = p.asset OFFSET 0) AS c;
    IF v_fits IS NOT TRUE OR cardinality(v_debit) <> cardinality(p_item) THEN
        RETURN NULL;
    END IF;
    SELECT (p_now AT TIME ZONE close_zone)::date INTO v_date FROM ledger_book WHERE id = p_book;
    IF ledger_share_period(p_book, v_date) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(742000 + p_book, 0);
    IF EXISTS (SELECT FROM ledger_closure WHERE account_id = ANY (v_debit || v_credit)) THEN
        RETURN NULL;
    END IF;

    -- 3 the keys
    INSERT INTO ledger_key (book_id, key, transaction_id)
    SELECT p_book, u.key, u.id FROM unnest(v_key, v_id) AS u (key, id) ORDER BY u.key
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_number = ROW_COUNT;

    -- 4 the accounts
    IF v_number = cardinality(v_id) THEN
        WITH a AS MATERIALIZED (
            SELECT id, balance_rule, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_account
            WHERE id = ANY (v_debit || v_credit) AND balance_rule <> 'none' ORDER BY id FOR UPDATE
        )
        SELECT bool_and(CASE a.balance_rule
            WHEN 'debits_must_not_exceed_credits' THEN a.debits_posted + a.debits_pending + m.debits <= a.credits_posted
            ELSE a.credits_posted + a.credits_pending + m.credits <= a.debits_posted END)
        INTO v_fits
        FROM a
        JOIN (SELECT CASE side WHEN 0 THEN u.debit ELSE u.credit END AS account_id,
                     sum(CASE WHEN side = 0 AND u.back IS NULL THEN u.amount ELSE 0 END) AS debits,
                     sum(CASE WHEN side = 1 AND u.back IS NULL THEN u.amount ELSE 0 END) AS credits
              FROM unnest(v_debit, v_credit, p_amount, v_back) AS u (debit, credit, amount, back), generate_series(0, 1) AS side
              GROUP BY 1) AS m ON m.account_id = a.id;
    END IF;
    IF v_number < cardinality(v_id) OR v_fits IS FALSE THEN
        DELETE FROM ledger_key WHERE book_id = p_book AND (key, transaction_id) IN (SELECT * FROM unnest(v_key, v_id));
        RETURN NULL;
    END IF;

    -- 5 write. The postings' ids count from one that is made after the locks: an account's statement goes by them.
    v_stem := uuidv7();
    v_low := ('x' || right(v_stem, 12))::bit(48)::bigint & 140737488355327;
    v_stem := left(v_stem, 24);
    WITH posting AS MATERIALIZED (
        SELECT u.n, u.item, u.position, u.debit, u.credit, u.asset, u.amount, u.back,
               CASE i.phase WHEN 'plain' THEN 'posted' WHEN 'reserve' THEN 'pending' ELSE 'post' END AS kind,
               CASE i.phase WHEN 'reserve' THEN 0 ELSE u.amount END AS posted,
               CASE WHEN i.phase = 'reserve' AND NOT i.ended THEN u.amount ELSE 0 END AS pending, i.id AS transaction_id
        FROM unnest(p_item, v_position, v_debit, v_credit, p_asset, p_amount, v_back) WITH ORDINALITY
             AS u (item, position, debit, credit, asset, amount, back, n)
        JOIN unnest(v_id, v_phase, v_ended) WITH ORDINALITY AS i (id, phase, ended, n) ON i.n = u.item
    ), effect AS MATERIALIZED (
        SELECT a.id, a.balance_rule <> 'none' AS ruled, m.dp, m.cp, m.dq, m.cq
        FROM (SELECT CASE side WHEN 0 THEN p.debit ELSE p.credit END AS account_id,
                     sum(CASE side WHEN 0 THEN p.posted ELSE 0 END) AS dp,
                     sum(CASE side WHEN 1 THEN p.posted ELSE 0 END) AS cp,
                     sum(CASE side WHEN 0 THEN p.pending ELSE 0 END) AS dq,
                     sum(CASE side WHEN 1 THEN p.pending ELSE 0 END) AS cq
              FROM posting p, generate_series(0, 1) AS side GROUP BY 1) AS m
        JOIN ledger_account a ON a.id = m.account_id AND a.id = ANY (v_debit || v_credit)
    ), moved AS (
        UPDATE ledger_account a
        SET debits_posted = a.debits_posted + e.dp, credits_posted = a.credits_posted + e.cp,
            debits_pending = a.debits_pending + e.dq, credits_pending = a.credits_pending + e.cq
        FROM effect e WHERE a.id = e.id AND a.id = ANY (v_debit || v_credit) AND e.ruled
    ), delta AS (
        INSERT INTO ledger_delta (account_id, debits_posted, credits_posted, debits_pending, credits_pending)
        SELECT e.id, e.dp, e.cp, e.dq, e.cq FROM effect e WHERE NOT e.ruled
    ), posted AS (
        INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, pending_id, debit_account_id,
                                    credit_account_id, asset, amount_minor)
        SELECT (v_stem || lpad(to_hex(v_low + p.n), 12, '0'))::uuid, p.transaction_id, p.position, p_book, p.kind,
               (v_stem || lpad(to_hex(v_low + p.n - p.back), 12, '0'))::uuid, p.debit, p.credit, p.asset, p.amount
        FROM posting p ORDER BY p.n
    ), unsealed AS (
        INSERT INTO ledger_unsealed (transaction_id, book_id) SELECT u.id, p_book FROM unnest(v_id) AS u (id)
    ), hold AS (
        INSERT INTO ledger_hold (transaction_id, book_id, state, expires_at, ended_by, ended_at)
        SELECT u.id, p_book, CASE WHEN u.ended THEN 'posted' ELSE 'open' END,
               CASE WHEN i.timeout > 0 THEN p_now + i.timeout::bigint * interval '1 second' END,
               CASE WHEN u.ended THEN v_id[u.n + 1] END, CASE WHEN u.ended THEN p_now END
        FROM unnest(v_id, v_phase, v_ended) WITH ORDINALITY AS u (id, phase, ended, n)
        JOIN ROWS FROM (jsonb_to_recordset(p_items) AS (timeout numeric)) WITH ORDINALITY AS i (timeout, n) ON i.n = u.n
        WHERE u.phase = 'reserve'
    )
    INSERT INTO ledger_transaction (id, book_id, key, event_type, phase, subject, refs, metadata, request_id,
                                    effective_at, recorded_at, timeout_seconds, hold_id, template_version)
    SELECT u.id, p_book, u.key, i.event_type, u.phase, coalesce(i.subject, ''), coalesce(i.refs, '{}'),
           coalesce(i.metadata, '{}'), coalesce(i.request_id, ''), p_now, p_now, coalesce(i.timeout, 0),
           CASE WHEN u.phase = 'settle' THEN v_id[u.n - 1] END, i.template_version
    FROM unnest(v_id, v_key, v_phase) WITH ORDINALITY AS u (id, key, phase, n)
    JOIN ROWS FROM (jsonb_to_recordset(p_items) AS (event_type text, subject text, refs jsonb, metadata jsonb,
         request_id text, timeout numeric, template_version bigint)) WITH ORDINALITY
         AS i (event_type, subject, refs, metadata, request_id, timeout, template_version, n) ON i.n = u.n;
    RETURN v_id;
END $$;
