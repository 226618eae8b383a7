-- Closing and balancing, and what a period leaves behind.

-- TigerBeetle's flags of a transfer, of all postings of a transaction; null for none, which costs nothing.
CREATE DOMAIN ledger_flags AS text[]
    CHECK (VALUE <@ '{balancing_debit,balancing_credit,closing_debit,closing_credit}'::text[]);
ALTER TABLE ledger_transaction ADD COLUMN flags ledger_flags;
-- The locked date into which it fell: then `value_date` is the instant asked, `effective_at` the first open one.
ALTER TABLE ledger_transaction ADD COLUMN locked_date date;

-- A balancing posting may come out at 0, and a closing one may be of 0: an account is closed when nothing is left in it.
ALTER DOMAIN ledger_amount DROP CONSTRAINT ledger_amount_check;
ALTER DOMAIN ledger_amount ADD CHECK (VALUE >= 0 AND VALUE <= 340282366920938463463374607431768211455);

-- A closed account takes nothing but the end of its holds. The pending that closed it opens it again when it returns.
CREATE TABLE ledger_closure (
    account_id bigint PRIMARY KEY,
    book_id smallint NOT NULL,
    closed_by uuid NOT NULL,
    closed_at timestamptz NOT NULL
);

-- Each lock and unlock of a period adds one, so that an approval of an unlock is good for one lock only.
ALTER TABLE ledger_period ADD COLUMN version integer NOT NULL DEFAULT 0;

CREATE TABLE ledger_period_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book_id smallint NOT NULL,
    business_date date NOT NULL,
    version integer NOT NULL,
    action text NOT NULL CHECK (action IN ('locked', 'unlocked')),
    actor text NOT NULL,
    approval text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL,
    UNIQUE (book_id, business_date, version),
    CHECK ((action = 'unlocked') = (approval <> ''))
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_period_change
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept BEFORE TRUNCATE ON ledger_closure FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
