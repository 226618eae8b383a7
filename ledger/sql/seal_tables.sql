-- The seals (rule L9). Each transaction leaves a row in ledger_unsealed; the sealer empties it into a block.
CREATE TABLE ledger_unsealed (
    transaction_id uuid PRIMARY KEY,
    book_id smallint NOT NULL
);

-- `members_hash` is over the members' digests in their order; `root` over the rest of the row. SHA-256, hexadecimal.
CREATE TABLE ledger_block (
    book_id smallint NOT NULL REFERENCES ledger_book (id),
    number bigint NOT NULL CHECK (number > 0),
    sealed_at timestamptz NOT NULL,
    members integer NOT NULL CHECK (members > 0),
    members_hash text NOT NULL,
    previous_root text NOT NULL,
    root text NOT NULL,
    PRIMARY KEY (book_id, number)
);

CREATE TABLE ledger_block_member (
    book_id smallint NOT NULL,
    number bigint NOT NULL,
    position integer NOT NULL,
    transaction_id uuid NOT NULL UNIQUE,
    digest bytea NOT NULL,
    PRIMARY KEY (book_id, number, position)
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_block
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_block_member
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON ledger_unsealed
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What was posted before there were seals is sealed first.
INSERT INTO ledger_unsealed (transaction_id, book_id) SELECT id, book_id FROM ledger_transaction;
