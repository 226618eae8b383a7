-- The write door of the book: a list of transactions in one call.
--
-- Items are objects {key, event_type, phase, subject, refs, metadata, request_id, effective_at, timeout, hold_key,
-- linked, refuse_locked, flags}; postings are parallel arrays (which item, 1-based; debited and credited address; asset;
-- minor units). Returns a result code per item in TigerBeetle's words, the transaction's id, and the position of the
-- posting that failed. Time is a parameter; null means the database's clock.
--
-- Codes of ours beside TigerBeetle's: created (its ok), id_must_not_be_too_long, id_must_not_be_reserved,
-- overflows_amount, pending_transfer_not_expired, exists_with_different_user_data (subject or refs),
-- exists_with_different_effective_at, period_locked. An amount of 2^128 - 1 in a settle means the whole pending.
--
-- Flags are TigerBeetle's, for all postings of the item: balancing_debit, balancing_credit (amounts are taken up to what
-- the balance allows; `amounts` of the result says what was taken, by position), closing_debit, closing_credit (of a
-- reserve: the account takes nothing more until that hold returns). docs/ledger-results.md lists all codes.
CREATE OR REPLACE FUNCTION ledger_post(
    p_book smallint, p_items jsonb, p_item integer[], p_debit text[], p_credit text[], p_asset text[],
    p_amount numeric[], p_now timestamptz DEFAULT NULL)
RETURNS TABLE (item integer, code text, transaction_id uuid, failed_position integer, amounts numeric[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_one record;
    v_ids uuid[];
BEGIN
    IF cardinality(p_item) = 1 AND p_item[1] = 1 AND jsonb_array_length(p_items) = 1 AND cardinality(p_debit) = 1
       AND cardinality(p_credit) = 1 AND cardinality(p_asset) = 1 AND cardinality(p_amount) = 1
       AND p_items #>> '{0,hold_key}' IS NULL AND (p_items #>> '{0,linked}')::boolean IS NOT TRUE
       AND coalesce(p_items #>> '{0,flags}', '[]') = '[]' THEN
        v_one := ledger_post_one(
            p_book, NULL, p_items #>> '{0,key}', p_items #>> '{0,event_type}', coalesce(p_items #>> '{0,phase}', 'plain'),
            coalesce(p_items #>> '{0,subject}', ''), coalesce(nullif(p_items #> '{0,refs}', 'null'), '{}'),
            coalesce(nullif(p_items #> '{0,metadata}', 'null'), '{}'), coalesce(p_items #>> '{0,request_id}', ''),
            (p_items #>> '{0,effective_at}')::timestamptz,
            coalesce((p_items #>> '{0,timeout}')::numeric, 0), (p_items #>> '{0,template_version}')::bigint,
            p_debit[1], p_credit[1], p_asset[1], p_amount[1], v_now);
        IF v_one.code IS NOT NULL THEN
            item := 0;
            code := v_one.code;
            transaction_id := v_one.transaction_id;
            failed_position := CASE WHEN code <> 'created' THEN 0 END;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the ledger is written under READ COMMITTED: each statement must see what others committed';
    ELSIF NOT (cardinality(p_item) = cardinality(p_debit) AND cardinality(p_item) = cardinality(p_credit)
               AND cardinality(p_item) = cardinality(p_asset) AND cardinality(p_item) = cardinality(p_amount)) THEN
        RAISE EXCEPTION 'the arrays of postings are not of one length';
    END IF;
    v_ids := ledger_post_in_sets(p_book, p_items, p_item, p_debit, p_credit, p_asset, p_amount, v_now);
    IF v_ids IS NOT NULL THEN
        RETURN QUERY SELECT (u.n - 1)::integer, 'created', u.id, NULL::integer, NULL::numeric[]
                     FROM unnest(v_ids) WITH ORDINALITY AS u (id, n);
        RETURN;
    ELSIF cardinality(p_item) > 50 OR jsonb_array_length(p_items) > 50 THEN
        -- plans that know how long the list is; until this function's end
        PERFORM set_config('plan_cache_mode', 'force_custom_plan', true);
    END IF;
    RETURN QUERY SELECT * FROM ledger_post_list(p_book, p_items, p_item, p_debit, p_credit, p_asset, p_amount, v_now);
END $$;

-- Sweep holds whose timeout has passed; their amounts return. Returns how many ended.
CREATE OR REPLACE FUNCTION ledger_expire(p_book smallint, p_limit integer DEFAULT 500, p_now timestamptz DEFAULT NULL)
RETURNS integer LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_now timestamptz := coalesce(p_now, clock_timestamp());
    v_items jsonb;
    v_ended integer;
BEGIN
    SELECT jsonb_agg(jsonb_build_object(
               'key', 'expire:' || t.id, 'event_type', t.event_type, 'phase', 'expire', 'subject', t.subject,
               'refs', t.refs, 'hold_key', t.key) ORDER BY t.id)
    INTO v_items
    FROM (SELECT transaction_id FROM ledger_hold
          WHERE book_id = p_book AND state = 'open' AND expires_at <= v_now ORDER BY expires_at LIMIT p_limit) AS due
    JOIN ledger_transaction t ON t.id = due.transaction_id;
    IF v_items IS NULL THEN
        RETURN 0;
    END IF;
    SELECT count(*) FILTER (WHERE r.code = 'created') INTO v_ended
    FROM ledger_post(p_book, v_items, '{}', '{}', '{}', '{}', '{}', v_now) AS r;
    RETURN v_ended;
END $$;
