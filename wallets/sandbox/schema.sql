-- What the operator's side believes. Times are microseconds since 1970, UTC.

CREATE TABLE IF NOT EXISTS operations (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    key            TEXT NOT NULL UNIQUE,
    operation      TEXT NOT NULL CHECK (operation IN ('debit', 'credit', 'reverse')),
    reference      TEXT NOT NULL,
    user_reference TEXT NOT NULL,
    asset          TEXT NOT NULL,
    amount         TEXT NOT NULL,
    digest         TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('confirmed', 'pending', 'rejected')),
    code           TEXT NOT NULL,
    remote_ref     TEXT NOT NULL,
    asked_at       INTEGER NOT NULL,
    applied_at     INTEGER,
    pending_until  INTEGER,
    then_status    TEXT
);
CREATE INDEX IF NOT EXISTS operations_of_reference ON operations (reference);
CREATE INDEX IF NOT EXISTS operations_pending ON operations (pending_until) WHERE status = 'pending';

-- Every question about money, in the order in which it arrived, with what was done about it.
CREATE TABLE IF NOT EXISTS requests (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    method      TEXT NOT NULL,
    path        TEXT NOT NULL,
    key         TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    not_after   TEXT NOT NULL,
    signature   TEXT NOT NULL,
    body        TEXT NOT NULL,
    did         TEXT NOT NULL,
    fault       TEXT NOT NULL,
    status      INTEGER
);
CREATE INDEX IF NOT EXISTS requests_of_key ON requests (key);

-- Every webhook delivery that arrived.
CREATE TABLE IF NOT EXISTS webhooks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    name        TEXT NOT NULL,
    webhook_id  TEXT NOT NULL,
    timestamp   TEXT NOT NULL,
    signature   TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    body        TEXT NOT NULL,
    status      INTEGER
);
CREATE INDEX IF NOT EXISTS webhooks_of_name ON webhooks (name, webhook_id);

CREATE TRIGGER IF NOT EXISTS requests_stay BEFORE UPDATE ON requests
BEGIN SELECT RAISE(ABORT, 'the request log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS requests_remain BEFORE DELETE ON requests
BEGIN SELECT RAISE(ABORT, 'the request log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS webhooks_stay BEFORE UPDATE ON webhooks
BEGIN SELECT RAISE(ABORT, 'the webhook log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS webhooks_remain BEFORE DELETE ON webhooks
BEGIN SELECT RAISE(ABORT, 'the webhook log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS operations_remain BEFORE DELETE ON operations
BEGIN SELECT RAISE(ABORT, 'an operation is never forgotten'); END;

-- How the sandbox was told to behave.
CREATE TABLE IF NOT EXISTS secrets (
    purpose TEXT NOT NULL,
    secret  TEXT NOT NULL,
    PRIMARY KEY (purpose, secret)
);
CREATE TABLE IF NOT EXISTS plans (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    question TEXT NOT NULL CHECK (question IN ('ask', 'lookup', 'webhook')),
    prefix   TEXT NOT NULL,
    fault    TEXT NOT NULL,
    times    INTEGER
);

-- Where operation.updated events go, and those that wait to be sent.
CREATE TABLE IF NOT EXISTS inbox (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    url    TEXT NOT NULL,
    secret TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS news (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    key      TEXT NOT NULL,
    status   TEXT NOT NULL CHECK (status IN ('confirmed', 'pending', 'rejected')),
    due_at   INTEGER NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0,
    answered INTEGER
);
CREATE INDEX IF NOT EXISTS news_due ON news (due_at, id) WHERE answered IS NULL;

-- How lookups of one key see it, once a fault has said so.
CREATE TABLE IF NOT EXISTS sights (
    key   TEXT PRIMARY KEY,
    fault TEXT NOT NULL,
    until INTEGER
);

-- What the bank believes: one row per idempotency key of a payment.
CREATE TABLE IF NOT EXISTS payments (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    key             TEXT NOT NULL UNIQUE,
    channel         TEXT NOT NULL CHECK (channel IN ('promptpay', 'bank_transfer')),
    reference       TEXT NOT NULL,
    recipient       TEXT NOT NULL,
    currency        TEXT NOT NULL,
    amount          TEXT NOT NULL,
    digest          TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('settled', 'pending', 'rejected', 'returned')),
    code            TEXT NOT NULL,
    response_id     TEXT NOT NULL,
    settlement_date TEXT NOT NULL,
    asked_at        INTEGER NOT NULL,
    applied_at      INTEGER,
    pending_until   INTEGER,
    then_status     TEXT,
    returns_at      INTEGER
);
CREATE INDEX IF NOT EXISTS payments_of_reference ON payments (reference);
CREATE INDEX IF NOT EXISTS payments_pending ON payments (pending_until) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS payments_returning ON payments (returns_at) WHERE returns_at IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS payments_remain BEFORE DELETE ON payments
BEGIN SELECT RAISE(ABORT, 'a payment is never forgotten'); END;

-- Where the bank's events go, and those that wait to be sent.
CREATE TABLE IF NOT EXISTS bank_inbox (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    url    TEXT NOT NULL,
    secret TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS bank_news (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    key      TEXT NOT NULL,
    kind     TEXT NOT NULL CHECK (kind IN ('payout.updated', 'payout.returned')),
    status   TEXT NOT NULL CHECK (status IN ('settled', 'pending', 'rejected', 'returned')),
    due_at   INTEGER NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0,
    answered INTEGER
);
CREATE INDEX IF NOT EXISTS bank_news_due ON bank_news (due_at, id) WHERE answered IS NULL;
