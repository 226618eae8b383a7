-- Rule R3: a remote operation becomes confirmed, rejected or absent only by a stored answer that says so. Looked at when
-- the transaction commits, since the answer and the move that it justifies are written in one.
CREATE FUNCTION require_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM wallets_remoteattempt AS a
        WHERE a.operation_id = NEW.id
          AND CASE NEW.state WHEN 'absent' THEN a.kind = 'lookup' AND a.outcome = 'unknown' AND a.detail = 'absent'
                             ELSE a.outcome = NEW.state END
    ) THEN
        RAISE EXCEPTION 'no stored answer shows that % is %', NEW.key, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER evidence AFTER UPDATE ON wallets_remoteoperation
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (NEW.state <> OLD.state AND NEW.state IN ('confirmed', 'rejected', 'absent'))
EXECUTE FUNCTION require_evidence();
