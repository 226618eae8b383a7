-- The journal's tables. Written only by the functions in journal_post.sql, journal_fold.sql and accounts.sql.

CREATE TABLE ledger_account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book_id smallint NOT NULL,
    address text NOT NULL CHECK (address ~ '^@?[A-Za-z0-9_.-]+(:[A-Za-z0-9_.@-]+)*$'),
    asset text NOT NULL,
    account_class text NOT NULL CHECK (account_class IN ('asset', 'liability', 'equity', 'income', 'expense')),
    gl_code text NOT NULL,
    normal_side text NOT NULL CHECK (normal_side IN ('debit', 'credit')),
    workflow_view text NOT NULL DEFAULT '',
    balance_rule text NOT NULL CHECK (balance_rule IN
        ('none', 'debits_must_not_exceed_credits', 'credits_must_not_exceed_debits')),
    debits_posted numeric(39, 0) NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
    credits_posted numeric(39, 0) NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
    debits_pending numeric(39, 0) NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
    credits_pending numeric(39, 0) NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (book_id, address, asset),
    CONSTRAINT never_overdrawn CHECK (
        CASE balance_rule
            WHEN 'debits_must_not_exceed_credits' THEN debits_posted + debits_pending <= credits_posted
            WHEN 'credits_must_not_exceed_debits' THEN credits_posted + credits_pending <= debits_posted
            ELSE true
        END)
) WITH (fillfactor = 70);

CREATE TABLE ledger_key (
    book_id smallint NOT NULL,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    transaction_id uuid NOT NULL,
    PRIMARY KEY (book_id, key)
);

CREATE TABLE ledger_transaction (
    id uuid PRIMARY KEY,
    book_id smallint NOT NULL,
    key text NOT NULL,
    event_type text NOT NULL,
    phase text NOT NULL CHECK (phase IN ('plain', 'reserve', 'settle', 'release', 'expire')),
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
    kind text NOT NULL CHECK (kind IN ('posted', 'pending', 'post', 'void', 'expire')),
    pending_id uuid,
    debit_account_id bigint NOT NULL,
    credit_account_id bigint NOT NULL,
    asset text NOT NULL,
    amount_minor numeric(39, 0) NOT NULL CHECK (amount_minor > 0 AND amount_minor <= 340282366920938463463374607431768211455),
    CHECK (debit_account_id <> credit_account_id),
    CHECK ((pending_id IS NOT NULL) = (kind IN ('post', 'void', 'expire')))
);
CREATE INDEX ledger_posting_transaction ON ledger_posting (transaction_id, position);
CREATE INDEX ledger_posting_debit ON ledger_posting (debit_account_id, id);
CREATE INDEX ledger_posting_credit ON ledger_posting (credit_account_id, id);
CREATE UNIQUE INDEX ledger_posting_pending_ends_once ON ledger_posting (pending_id) WHERE pending_id IS NOT NULL;

CREATE TABLE ledger_hold (
    transaction_id uuid PRIMARY KEY,
    book_id smallint NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'posted', 'voided', 'expired')),
    expires_at timestamptz,
    ended_by uuid,
    ended_at timestamptz,
    CHECK ((state = 'open') = (ended_by IS NULL)),
    CHECK ((state = 'open') = (ended_at IS NULL))
);
CREATE INDEX ledger_hold_expiry ON ledger_hold (expires_at) WHERE state = 'open' AND expires_at IS NOT NULL;

CREATE TABLE ledger_delta (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL,
    debits_posted numeric(39, 0) NOT NULL,
    credits_posted numeric(39, 0) NOT NULL,
    debits_pending numeric(39, 0) NOT NULL,
    credits_pending numeric(39, 0) NOT NULL
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
