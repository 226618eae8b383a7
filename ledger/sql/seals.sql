-- One posting of a transaction's content, with the addresses of its accounts.
CREATE OR REPLACE FUNCTION ledger_line(p ledger_posting, debit text, credit text)
RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_array(p.id, p.position, p.book_id, p.kind, p.pending_id, p.debit_account_id, debit,
                             p.credit_account_id, credit, p.asset, p.amount_minor)
$$;

-- SHA-256 over a transaction's content and its postings, `lines` by position: the same under any setting of a session.
CREATE OR REPLACE FUNCTION ledger_digest(t ledger_transaction, lines jsonb)
RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(jsonb_build_array(
        t.id, t.book_id, t.key, t.event_type, t.phase, t.subject, t.refs, t.metadata, t.request_id,
        extract(epoch FROM t.effective_at), extract(epoch FROM t.value_date), extract(epoch FROM t.recorded_at),
        t.timeout_seconds, t.hold_id, t.flags, t.locked_date - DATE '2000-01-01', lines)::text, 'UTF8'))
$$;

-- A block's root: over everything else in its row.
CREATE OR REPLACE FUNCTION ledger_root(
    p_book smallint, p_number bigint, p_sealed_at timestamptz, p_members integer, p_members_hash text, p_previous_root text)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(convert_to(jsonb_build_array(
        p_book, p_number, extract(epoch FROM p_sealed_at), p_members, p_members_hash, p_previous_root)::text, 'UTF8')), 'hex')
$$;

-- Seal what is unsealed, up to a limit, into the book's next block. Returns its number, members and root, or no row when
-- nothing waits or another sealer is at work. One statement empties the table: what commits late is found later, where
-- a watermark would pass it by.
CREATE OR REPLACE FUNCTION ledger_seal(p_book smallint, p_limit integer DEFAULT 5000, p_now timestamptz DEFAULT NULL)
RETURNS TABLE (number bigint, members integer, root text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := date_trunc('microseconds', coalesce(p_now, clock_timestamp()));
    v_id uuid[];
    v_digest bytea[];
    v_hash text;
    v_last record;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the ledger is sealed under READ COMMITTED: each statement must see what others committed';
    ELSIF NOT pg_try_advisory_xact_lock(743000, p_book) THEN
        RETURN;
    END IF;
    WITH gone AS (
        DELETE FROM ledger_unsealed WHERE transaction_id IN (
            SELECT u.transaction_id FROM ledger_unsealed u WHERE u.book_id = p_book ORDER BY u.transaction_id LIMIT p_limit)
        RETURNING transaction_id
    )
    SELECT array_agg(gone.transaction_id ORDER BY gone.transaction_id) INTO v_id FROM gone;
    IF v_id IS NULL THEN
        RETURN;
    END IF;

    SELECT array_agg(s.digest ORDER BY s.n), encode(sha256(string_agg(s.digest, '' ORDER BY s.n)), 'hex')
    INTO v_digest, v_hash
    FROM (SELECT coalesce(ledger_digest(t, p.lines), '') AS digest, m.n
          FROM unnest(v_id) WITH ORDINALITY AS m (id, n)
          LEFT JOIN ledger_transaction t ON t.id = m.id
          LEFT JOIN LATERAL (
              SELECT jsonb_agg(ledger_line(p, d.address, c.address) ORDER BY p.position, p.id) AS lines
              FROM ledger_posting p
              LEFT JOIN ledger_account d ON d.id = p.debit_account_id
              LEFT JOIN ledger_account c ON c.id = p.credit_account_id
              WHERE p.transaction_id = m.id) AS p ON true) AS s;
    SELECT b.number, b.root INTO v_last FROM ledger_block b WHERE b.book_id = p_book ORDER BY b.number DESC LIMIT 1;
    number := coalesce(v_last.number, 0) + 1;
    members := cardinality(v_digest);
    root := ledger_root(p_book, number, v_now, members, v_hash, coalesce(v_last.root, ''));
    INSERT INTO ledger_block (book_id, number, sealed_at, members, members_hash, previous_root, root)
    VALUES (p_book, number, v_now, members, v_hash, coalesce(v_last.root, ''), root);
    INSERT INTO ledger_block_member (book_id, number, position, transaction_id, digest)
    SELECT p_book, number, m.n, m.id, m.digest FROM unnest(v_id, v_digest) WITH ORDINALITY AS m (id, digest, n);
    RETURN NEXT;
END $$;
