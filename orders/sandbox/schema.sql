-- What the venue believes. Times are microseconds since 1970, UTC.

CREATE TABLE IF NOT EXISTS quotes (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    quote_id     TEXT NOT NULL UNIQUE,
    pool         TEXT NOT NULL,
    side         TEXT NOT NULL,
    taken_asset  TEXT NOT NULL,
    taken_amount TEXT NOT NULL,
    given_asset  TEXT NOT NULL,
    given_amount TEXT NOT NULL,
    made_at      INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS trades (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    transact_id  TEXT NOT NULL UNIQUE,
    quote_id     TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('reserved', 'settled', 'failed', 'released', 'returned')),
    taken_asset  TEXT NOT NULL,
    taken_amount TEXT NOT NULL,
    given_asset  TEXT NOT NULL,
    given_amount TEXT NOT NULL,
    changed_at   INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS trades_of_quote ON trades (quote_id);

CREATE TABLE IF NOT EXISTS operations (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    key            TEXT NOT NULL UNIQUE,
    operation      TEXT NOT NULL CHECK (operation IN ('reserve', 'execute', 'release')),
    transact_id    TEXT NOT NULL,
    taken_asset    TEXT NOT NULL,
    taken_amount   TEXT NOT NULL,
    given_asset    TEXT NOT NULL,
    given_amount   TEXT NOT NULL,
    digest         TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('confirmed', 'pending', 'rejected')),
    code           TEXT NOT NULL,
    venue_ref      TEXT NOT NULL,
    asked_at       INTEGER NOT NULL,
    pending_until  INTEGER,
    then_status    TEXT
);
CREATE INDEX IF NOT EXISTS operations_pending ON operations (pending_until) WHERE status = 'pending';

-- Every question, in the order in which it arrived, with what was done about it.
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

CREATE TRIGGER IF NOT EXISTS requests_stay BEFORE UPDATE ON requests
BEGIN SELECT RAISE(ABORT, 'the request log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS requests_remain BEFORE DELETE ON requests
BEGIN SELECT RAISE(ABORT, 'the request log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS operations_remain BEFORE DELETE ON operations
BEGIN SELECT RAISE(ABORT, 'an operation is never forgotten'); END;

-- How lookups of one key see it, once a fault has said so.
CREATE TABLE IF NOT EXISTS sights (
    key   TEXT PRIMARY KEY,
    fault TEXT NOT NULL,
    until INTEGER
);

-- How it was told to behave, where its events go, and those that wait to be sent.
CREATE TABLE IF NOT EXISTS secrets (
    secret TEXT PRIMARY KEY
);
CREATE TABLE IF NOT EXISTS plans (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    question TEXT NOT NULL CHECK (question IN ('ask', 'lookup', 'quote')),
    prefix   TEXT NOT NULL,
    fault    TEXT NOT NULL,
    times    INTEGER
);
CREATE TABLE IF NOT EXISTS inbox (
    pool   TEXT PRIMARY KEY,
    url    TEXT NOT NULL,
    secret TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS news (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id    TEXT NOT NULL,
    pool        TEXT NOT NULL,
    transact_id TEXT NOT NULL,
    quote_id    TEXT NOT NULL,
    status      TEXT NOT NULL,
    due_at      INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    answered    INTEGER
);
CREATE INDEX IF NOT EXISTS news_due ON news (due_at, id) WHERE answered IS NULL;
