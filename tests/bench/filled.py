"""A book filled with pay-ins behind the write door: as many as wanted, in the rows that the door would have written."""

import psycopg

BANK = "bank:filled"
_IN_A_BLOCK = 2_500

_STATEMENTS = (
    "SET session_replication_role = replica",
    "SET synchronous_commit = off",
    """
    INSERT INTO ledger_account (book_id, address, asset, account_class, gl_code, normal_side, workflow_view, balance_rule)
    SELECT b.id, x.address, 'EUR', x.class, x.code, x.side, x.view, x.rule FROM ledger_book b, (
        SELECT 'users:filled-' || n || ':available' AS address, 'liability' AS class, '2005' AS code, 'credit' AS side,
               'wallets' AS view, 'debits_must_not_exceed_credits' AS rule
        FROM generate_series((%(first)s::integer - 1) / %(each)s + 1, %(last)s::integer / %(each)s) AS n
        UNION ALL VALUES ('bank:filled', 'asset', '1000', 'debit', 'banks', 'none'),
                         ('revenue:transfer', 'income', '4030', 'credit', 'revenue', 'none')) AS x
    WHERE b.environment = %(environment)s ON CONFLICT DO NOTHING
    """,
    "DROP TABLE IF EXISTS pg_temp.filling",
    """
    CREATE TEMP TABLE filling AS
    SELECT uuidv7(interval '1 second' * (s.n - %(total)s)) AS id, s.n, b.id AS book_id, a.id AS user_id,
           1000 + s.n %% 977 AS amount
    FROM ledger_book b
    CROSS JOIN (SELECT n, 'users:filled-' || (%(first)s - 1) / %(each)s + 1
                          + n * 7919::bigint %% ((%(last)s - %(first)s + 1) / %(each)s) || ':available' AS address
                FROM generate_series(%(first)s::integer, %(last)s::integer) AS n) AS s
    JOIN ledger_account a ON a.book_id = b.id AND a.address = s.address
    WHERE b.environment = %(environment)s
    """,
    "ANALYZE pg_temp.filling",
    "INSERT INTO ledger_key (book_id, key, transaction_id) SELECT book_id, 'filled:' || md5(n::text), id FROM filling",
    """
    INSERT INTO ledger_transaction (id, book_id, key, event_type, phase, subject, refs, metadata, request_id,
                                    effective_at, recorded_at)
    SELECT id, book_id, 'filled:' || md5(n::text), 'PAYIN_COLLECTION', 'plain', 'pay_' || n, '{}', '{}', '',
           now() + interval '1 second' * (n - %(total)s), now()
    FROM filling ORDER BY n
    """,
    """
    INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, debit_account_id, credit_account_id, asset,
                                amount_minor)
    SELECT uuidv7(interval '1 second' * (f.n - %(total)s)), f.id, p.position, f.book_id, 'posted', bank.id,
           CASE p.position WHEN 0 THEN f.user_id ELSE fee.id END, 'EUR', CASE p.position WHEN 0 THEN f.amount ELSE 7 END
    FROM filling f
    JOIN ledger_account bank ON bank.book_id = f.book_id AND bank.address = 'bank:filled'
    JOIN ledger_account fee ON fee.book_id = f.book_id AND fee.address = 'revenue:transfer' AND fee.asset = 'EUR'
    CROSS JOIN (VALUES (0), (1)) AS p (position)
    ORDER BY f.n, p.position
    """,
    """
    WITH moved AS (
        SELECT a.id, sum(f.amount + 7) AS dp, 0 AS cp
        FROM filling f JOIN ledger_account a ON a.book_id = f.book_id AND a.address = 'bank:filled' GROUP BY a.id
        UNION ALL
        SELECT a.id, 0, sum(7)
        FROM filling f JOIN ledger_account a ON a.book_id = f.book_id AND a.address = 'revenue:transfer' AND a.asset = 'EUR'
        GROUP BY a.id
        UNION ALL SELECT user_id, 0, sum(amount) FROM filling GROUP BY user_id
    )
    UPDATE ledger_account a SET debits_posted = a.debits_posted + m.dp, credits_posted = a.credits_posted + m.cp
    FROM moved m WHERE a.id = m.id
    """,
    """
    WITH newest AS (
        SELECT f.book_id, coalesce(max(b.number), 0) AS number
        FROM (SELECT DISTINCT book_id FROM filling) AS f LEFT JOIN ledger_block b ON b.book_id = f.book_id GROUP BY 1
    ), members AS (
        INSERT INTO ledger_block_member (book_id, number, position, transaction_id, digest)
        SELECT f.book_id, w.number + 1 + (f.n - %(first)s) / %(block)s, 1 + (f.n - %(first)s) %% %(block)s, f.id, sha256('')
        FROM filling f JOIN newest w ON w.book_id = f.book_id ORDER BY f.n
        RETURNING book_id, number
    )
    INSERT INTO ledger_block (book_id, number, sealed_at, members, members_hash, previous_root, root)
    SELECT book_id, number, now(), count(*), '', '', 'filled:' || number FROM members GROUP BY 1, 2
    """,
    "DROP TABLE pg_temp.filling",
    "SET session_replication_role = origin",
    "SET synchronous_commit = on",
)


def add(connection: psycopg.Connection, *, environment: str, first: int, last: int, total: int, each: int) -> None:
    """Add the pay-ins `first` to `last` of `total`, a second apart up to now, of two postings each, with keys and blocks.

    The users of one call are its own, `each` pay-ins to one; they have a balance rule. As a superuser, in autocommit.
    """
    assert (first - 1) % each == last % each == 0
    given = {
        "environment": environment,
        "first": first,
        "last": last,
        "total": total,
        "each": each,
        "block": _IN_A_BLOCK,
    }
    for statement in _STATEMENTS:
        connection.execute(statement, given)


def blocks(transactions: int) -> int:
    """Return how many blocks so many transactions fill."""
    return transactions // _IN_A_BLOCK
