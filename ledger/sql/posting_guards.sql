-- Rule L1, whoever writes: a posting joins one transaction and two accounts, all of its book, the accounts of its asset; an
-- amount of 0 is for transactions with flags, and for the end of such a pending. A domain holds the amount otherwise.
ALTER TABLE ledger_posting ADD CONSTRAINT two_accounts CHECK (debit_account_id <> credit_account_id);

-- Once per statement, whatever its length. Beneath ledger_post_one and ledger_post_in_sets it is left out: these have just
-- joined the two accounts by book and asset, and what is posted most does not pay for it twice. The list's way pays.
CREATE FUNCTION guard_postings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_stack text;
    v_id uuid;
BEGIN
    GET DIAGNOSTICS v_stack = PG_CONTEXT;
    IF v_stack LIKE '%function ledger_post_one(%' OR v_stack LIKE '%function ledger_post_in_sets(%' THEN
        RETURN NULL;
    END IF;
    SELECT p.id INTO v_id
    FROM added p
    LEFT JOIN public.ledger_transaction t ON t.id = p.transaction_id AND t.book_id = p.book_id
    LEFT JOIN public.ledger_account d ON d.id = p.debit_account_id AND d.book_id = p.book_id AND d.asset = p.asset
    LEFT JOIN public.ledger_account c ON c.id = p.credit_account_id AND c.book_id = p.book_id AND c.asset = p.asset
    WHERE t.id IS NULL OR d.id IS NULL OR c.id IS NULL
       OR (p.amount_minor = 0 AND p.kind IN ('posted', 'pending') AND t.flags IS NULL)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'posting % does not join a transaction and two accounts of its book and asset by an amount', v_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER joined AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION guard_postings();
