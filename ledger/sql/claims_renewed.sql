-- A claim's answer is written once. What is kept encrypted of it may be encrypted again with a newer key: nothing else.
CREATE OR REPLACE FUNCTION guard_claim() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_same ledger_claim;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.answered_at IS NOT NULL
       AND substr(OLD.answer_body, 1, 5) = 'enc1:'::bytea AND substr(NEW.answer_body, 1, 5) = 'enc1:'::bytea THEN
        v_same := NEW;
        v_same.answer_body := OLD.answer_body;
        IF v_same IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    IF TG_OP = 'DELETE' OR OLD.answered_at IS NOT NULL
       OR (OLD.operator_id, OLD.environment, OLD.key, OLD.digest) IS DISTINCT FROM
          (NEW.operator_id, NEW.environment, NEW.key, NEW.digest) THEN
        RAISE EXCEPTION 'claim % is answered', OLD.key USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
