-- The journal's tables. Written only by the functions in journal_post*.sql, journal_fold.sql and accounts.sql.
-- An amount ends at 2^128 - 1 (39 digits), and so does a balance; balances have room beyond it (48 digits), so that a
-- fold can never fail.

-- Checks of values are domains: unlike a table's CHECK they are not parsed again in every statement that writes.
CREATE DOMAIN ledger_amount AS numeric(39, 0)
    CHECK (VALUE > 0 AND VALUE <= 340282366920938463463374607431768211455);
CREATE DOMAIN ledger_phase AS text CHECK (VALUE IN ('plain', 'reserve', 'settle', 'release', 'expire'));
CREATE DOMAIN ledger_posting_kind AS text CHECK (VALUE IN ('posted', 'pending', 'post', 'void', 'expire'));
CREATE DOMAIN ledger_hold_state AS text CHECK (VALUE IN ('open', 'posted', 'voided', 'expired'));

-- What an account is, is checked and kept by a trigger (append_only.sql); here stands rule L4 alone.
CREATE TABLE ledger_account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book_id smallint NOT NULL REFERENCES ledger_book (id),
    address text NOT NULL,
    asset text NOT NULL REFERENCES ledger_asset (code),
    account_class text NOT NULL,
    gl_code text NOT NULL,
    normal_side text NOT NULL,
    workflow_view text NOT NULL DEFAULT '',
    balance_rule text NOT NULL,
    debits_posted numeric(48, 0) NOT NULL DEFAULT 0,
    credits_posted numeric(48, 0) NOT NULL DEFAULT 0,
    debits_pending numeric(48, 0) NOT NULL DEFAULT 0,
    credits_pending numeric(48, 0) NOT NULL DEFAULT 0,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (book_id, address, asset),
    CONSTRAINT never_overdrawn CHECK (
        CASE balance_rule
            WHEN 'none' THEN true
            WHEN 'debits_must_not_exceed_credits' THEN debits_posted + debits_pending <= credits_posted
            ELSE credits_posted + credits_pending <= debits_posted
        END)
) WITH (fillfactor = 70);

CREATE TABLE ledger_key (
    book_id smallint NOT NULL,
    key text NOT NULL,
    transaction_id uuid NOT NULL,
    PRIMARY KEY (book_id, key)
);

CREATE TABLE ledger_transaction (
    id uuid PRIMARY KEY,
    book_id smallint NOT NULL,
    key text NOT NULL,
    event_type text NOT NULL,
    phase ledger_phase NOT NULL,
    subject text NOT NULL,
    refs jsonb NOT NULL,
    metadata jsonb NOT NULL,
    request_id text NOT NULL,
    effective_at timestamptz NOT NULL,
    value_date timestamptz,
    recorded_at timestamptz NOT NULL,
    timeout_seconds bigint NOT NULL DEFAULT 0,
    hold_id uuid
);
CREATE INDEX ledger_transaction_subject ON ledger_transaction (subject);
CREATE INDEX ledger_transaction_effective ON ledger_transaction (book_id, effective_at);

CREATE TABLE ledger_posting (
    id uuid PRIMARY KEY,
    transaction_id uuid NOT NULL,
    position integer NOT NULL,
    book_id smallint NOT NULL,
    kind ledger_posting_kind NOT NULL,
    pending_id uuid,
    debit_account_id bigint NOT NULL,
    credit_account_id bigint NOT NULL,
    asset text NOT NULL,
    amount_minor ledger_amount NOT NULL
);
CREATE INDEX ledger_posting_transaction ON ledger_posting (transaction_id, position);
CREATE INDEX ledger_posting_debit ON ledger_posting (debit_account_id, id);
CREATE INDEX ledger_posting_credit ON ledger_posting (credit_account_id, id);
CREATE UNIQUE INDEX ledger_posting_pending_ends_once ON ledger_posting (pending_id) WHERE pending_id IS NOT NULL;

CREATE TABLE ledger_hold (
    transaction_id uuid PRIMARY KEY,
    book_id smallint NOT NULL,
    state ledger_hold_state NOT NULL,
    expires_at timestamptz,
    ended_by uuid,
    ended_at timestamptz,
    CHECK ((state = 'open') = (ended_by IS NULL) AND (state = 'open') = (ended_at IS NULL))
);
CREATE INDEX ledger_hold_expiry ON ledger_hold (expires_at) WHERE state = 'open' AND expires_at IS NOT NULL;

CREATE TABLE ledger_delta (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL,
    debits_posted numeric(48, 0) NOT NULL,
    credits_posted numeric(48, 0) NOT NULL,
    debits_pending numeric(48, 0) NOT NULL,
    credits_pending numeric(48, 0) NOT NULL
);
CREATE INDEX ledger_delta_account ON ledger_delta (account_id);

CREATE TABLE ledger_period (
    book_id smallint NOT NULL,
    business_date date NOT NULL,
    locked_at timestamptz,
    locked_by text NOT NULL DEFAULT '',
    PRIMARY KEY (book_id, business_date)
);

-- An account's four balances with its open deltas, in one statement.
CREATE VIEW ledger_balance AS
SELECT a.id AS account_id, a.book_id, a.address, a.asset, a.account_class, a.gl_code, a.normal_side, a.balance_rule,
       a.debits_posted + coalesce(d.debits_posted, 0) AS debits_posted,
       a.credits_posted + coalesce(d.credits_posted, 0) AS credits_posted,
       a.debits_pending + coalesce(d.debits_pending, 0) AS debits_pending,
       a.credits_pending + coalesce(d.credits_pending, 0) AS credits_pending
FROM ledger_account a
LEFT JOIN LATERAL (
    SELECT sum(x.debits_posted) AS debits_posted, sum(x.credits_posted) AS credits_posted,
           sum(x.debits_pending) AS debits_pending, sum(x.credits_pending) AS credits_pending
    FROM ledger_delta x WHERE x.account_id = a.id
) d ON true;
