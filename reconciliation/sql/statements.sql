-- A statement's lines and files stay as they came in.

CREATE FUNCTION guard_statement_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(OLD) - 'unmatched_because' IS DISTINCT FROM to_jsonb(NEW) - 'unmatched_because' THEN
        RAISE EXCEPTION 'statement line % stays as it is', OLD.reference USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stays BEFORE UPDATE ON reconciliation_statementline
    FOR EACH ROW EXECUTE FUNCTION guard_statement_line();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON reconciliation_statementline
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION guard_statement_file() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.source_id, OLD.sha256, OLD.size, OLD.name, OLD.received_by, md5(OLD.content))
       IS DISTINCT FROM (NEW.source_id, NEW.sha256, NEW.size, NEW.name, NEW.received_by, md5(NEW.content)) THEN
        RAISE EXCEPTION 'statement file % stays as it is', OLD.reference USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stays BEFORE UPDATE ON reconciliation_statementfile
    FOR EACH ROW EXECUTE FUNCTION guard_statement_file();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON reconciliation_statementfile
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON reconciliation_statementmatch
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The statement lines that belong to a window: those of its business date.
CREATE FUNCTION close_statement_lines(p_environment text, p_from timestamptz, p_to timestamptz)
RETURNS SETOF reconciliation_statementline LANGUAGE sql STABLE AS $$
    SELECT l.* FROM reconciliation_statementline l JOIN ledger_book b ON b.environment = l.environment
    WHERE l.environment = p_environment AND l.business_date = (p_from AT TIME ZONE b.close_zone)::date
$$;
