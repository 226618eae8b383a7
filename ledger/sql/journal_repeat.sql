-- Rule L7: how a repeat of a key compares with what stands under it. Pure: it reads no table.
--
-- `stood_*` is what was posted, `asked_*` what is asked now. Of a settle, the stood arrays are its hold's pendings in
-- full (`stood_whole`) with what was posted of each (`stood_amount`, 0 for a voided one).
CREATE OR REPLACE FUNCTION ledger_difference(
    stood_item jsonb, stood_hold uuid, stood_debit bigint[], stood_credit bigint[], stood_amount numeric[],
    stood_whole numeric[], asked_item jsonb, asked_hold uuid, asked_debit bigint[], asked_credit bigint[],
    asked_amount numeric[])
RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_phase text := coalesce(stood_item ->> 'phase', 'plain');
    v_stood_flags jsonb := coalesce(nullif(stood_item -> 'flags', 'null'), '[]');
    v_asked_flags jsonb := coalesce(nullif(asked_item -> 'flags', 'null'), '[]');
    v_code text;
BEGIN
    IF v_phase <> coalesce(asked_item ->> 'phase', 'plain')
       OR NOT (v_stood_flags <@ v_asked_flags AND v_asked_flags <@ v_stood_flags) THEN
        RETURN 'exists_with_different_flags';
    ELSIF stood_hold IS DISTINCT FROM asked_hold THEN
        RETURN 'exists_with_different_pending_id';
    ELSIF coalesce((stood_item ->> 'timeout')::numeric, 0) <> coalesce((asked_item ->> 'timeout')::numeric, 0) THEN
        RETURN 'exists_with_different_timeout';
    END IF;

    IF v_phase IN ('plain', 'reserve') THEN
        v_code := CASE
            WHEN stood_debit IS DISTINCT FROM asked_debit THEN 'exists_with_different_debit_account_id'
            WHEN stood_credit IS DISTINCT FROM asked_credit THEN 'exists_with_different_credit_account_id'
            -- what balanced took up to what was asked
            WHEN CASE WHEN v_stood_flags ?| '{balancing_debit,balancing_credit}'
                      THEN EXISTS (SELECT FROM unnest(stood_amount, asked_amount) AS u (stood, asked) WHERE asked < stood)
                      ELSE stood_amount IS DISTINCT FROM asked_amount END THEN 'exists_with_different_amount'
        END;
    ELSIF v_phase = 'settle' THEN
        -- by pair of accounts: a whole pair may be asked with any amount at or above it
        SELECT CASE
            WHEN bool_or(s.debit IS NULL AND a.debit <> ALL (stood_debit)) THEN 'exists_with_different_debit_account_id'
            WHEN bool_or(s.debit IS NULL) THEN 'exists_with_different_credit_account_id'
            WHEN bool_or(CASE WHEN s.amount = s.whole THEN coalesce(a.amount, 0) < s.whole
                              ELSE coalesce(a.amount, 0) <> s.amount END) THEN 'exists_with_different_amount'
        END INTO v_code
        FROM (SELECT debit, credit, sum(amount) AS amount, sum(whole) AS whole
              FROM unnest(stood_debit, stood_credit, stood_amount, stood_whole) AS s (debit, credit, amount, whole)
              GROUP BY 1, 2) AS s
        FULL JOIN (SELECT debit, credit, sum(amount) AS amount
                   FROM unnest(asked_debit, asked_credit, asked_amount) AS a (debit, credit, amount)
                   GROUP BY 1, 2) AS a USING (debit, credit);
    END IF;
    IF v_code IS NOT NULL THEN
        RETURN v_code;
    ELSIF coalesce(stood_item ->> 'subject', '') <> coalesce(asked_item ->> 'subject', '')
       OR coalesce(nullif(stood_item -> 'refs', 'null'), '{}') <> coalesce(nullif(asked_item -> 'refs', 'null'), '{}') THEN
        RETURN 'exists_with_different_user_data';
    ELSIF stood_item ->> 'event_type' <> asked_item ->> 'event_type' THEN
        RETURN 'exists_with_different_code';
    ELSIF (stood_item ->> 'effective_at')::timestamptz <> (asked_item ->> 'effective_at')::timestamptz THEN
        RETURN 'exists_with_different_effective_at';  -- not compared where it was not asked
    END IF;
    RETURN 'exists';
END $$;

-- The same for a key whose transaction was committed before.
CREATE OR REPLACE FUNCTION ledger_difference_stored(
    p_transaction uuid, asked_item jsonb, asked_hold uuid, asked_debit bigint[], asked_credit bigint[],
    asked_amount numeric[])
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_stood ledger_transaction;
    v_debit bigint[];
    v_credit bigint[];
    v_amount numeric[];
    v_whole numeric[];
BEGIN
    SELECT * INTO v_stood FROM ledger_transaction WHERE id = p_transaction;
    IF NOT FOUND THEN
        RETURN 'id_already_failed';
    END IF;
    SELECT array_agg(p.debit_account_id ORDER BY p.position), array_agg(p.credit_account_id ORDER BY p.position),
           array_agg(CASE WHEN p.kind IN ('void', 'expire') THEN 0 ELSE p.amount_minor END ORDER BY p.position),
           array_agg(coalesce(q.amount_minor, p.amount_minor) ORDER BY p.position)
    INTO v_debit, v_credit, v_amount, v_whole
    FROM ledger_posting p LEFT JOIN ledger_posting q ON q.id = p.pending_id
    WHERE p.transaction_id = p_transaction;
    RETURN ledger_difference(
        jsonb_build_object('phase', v_stood.phase, 'timeout', v_stood.timeout_seconds, 'subject', v_stood.subject,
                           'refs', v_stood.refs, 'event_type', v_stood.event_type, 'flags', v_stood.flags,
                           'effective_at', coalesce(v_stood.value_date, v_stood.effective_at)),
        v_stood.hold_id, v_debit, v_credit, v_amount, v_whole,
        asked_item, asked_hold, asked_debit, asked_credit, asked_amount);
END $$;
