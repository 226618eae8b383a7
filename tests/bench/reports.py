"""F11: trial balance and statement pages over a million postings, against the same sums straight from the postings."""

import statistics
import time
from collections.abc import Callable

import psycopg

from config.local.stack import LocalStack
from tests.bench.rows import Row

_TRANSACTIONS = 500_000
_USERS = 2_000
_IN_A_BLOCK = 2_500
_ROUNDS = 5

_FILL = (
    "SET session_replication_role = replica",
    """
    INSERT INTO ledger_account (book_id, address, asset, account_class, gl_code, normal_side, workflow_view, balance_rule)
    SELECT b.id, x.address, 'EUR', x.class, x.code, x.side, x.view, 'none' FROM ledger_book b, (
        SELECT 'users:f11-' || n || ':available' AS address, 'liability' AS class, '2005' AS code, 'credit' AS side,
               'wallets' AS view FROM generate_series(1, %(users)s) AS n
        UNION ALL VALUES ('bank:f11', 'asset', '1000', 'debit', 'banks'),
                         ('revenue:transfer', 'income', '4030', 'credit', 'revenue')) AS x
    WHERE b.environment = 'live' ON CONFLICT DO NOTHING
    """,
    """
    CREATE TEMP TABLE f11 AS
    SELECT uuidv7(interval '1 second' * (n - %(transactions)s)) AS id, n, 1 + n * 7919::bigint %% %(users)s AS who
    FROM generate_series(1, %(transactions)s) AS n
    """,
    """
    INSERT INTO ledger_transaction (id, book_id, key, event_type, phase, subject, refs, metadata, request_id,
                                    effective_at, recorded_at)
    SELECT f.id, b.id, 'f11:' || f.n, 'PAYIN_COLLECTION', 'plain', '', '{}', '{}', '',
           now() + interval '1 second' * (f.n - %(transactions)s), now()
    FROM f11 f, ledger_book b WHERE b.environment = 'live'
    """,
    """
    INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, debit_account_id, credit_account_id, asset,
                                amount_minor)
    SELECT uuidv7(interval '1 second' * (f.n - %(transactions)s)), f.id, p.position, b.id, 'posted', bank.id,
           CASE p.position WHEN 0 THEN who.id ELSE fee.id END, 'EUR', CASE p.position WHEN 0 THEN 1000 + f.n %% 977 ELSE 7 END
    FROM f11 f
    JOIN ledger_book b ON b.environment = 'live'
    JOIN ledger_account bank ON bank.book_id = b.id AND bank.address = 'bank:f11'
    JOIN ledger_account fee ON fee.book_id = b.id AND fee.address = 'revenue:transfer' AND fee.asset = 'EUR'
    JOIN ledger_account who ON who.book_id = b.id AND who.address = 'users:f11-' || f.who || ':available'
    CROSS JOIN (VALUES (0), (1)) AS p (position)
    """,
    """
    UPDATE ledger_account a SET debits_posted = s.dp, credits_posted = s.cp
    FROM (SELECT account_id, sum(dp) AS dp, sum(cp) AS cp
          FROM (SELECT debit_account_id AS account_id, amount_minor::numeric AS dp, 0::numeric AS cp FROM ledger_posting
                UNION ALL SELECT credit_account_id, 0, amount_minor FROM ledger_posting) AS e GROUP BY 1) AS s
    WHERE a.id = s.account_id AND a.address IN (SELECT 'users:f11-' || n || ':available' FROM generate_series(1, %(users)s) n
                                                UNION ALL VALUES ('bank:f11'), ('revenue:transfer'))
      AND a.book_id = (SELECT id FROM ledger_book WHERE environment = 'live')
    """,
    """
    INSERT INTO ledger_block (book_id, number, sealed_at, members, members_hash, previous_root, root)
    SELECT b.id, n, now(), %(block)s, '', '', 'f11:' || n
    FROM ledger_book b, generate_series(1, %(transactions)s / %(block)s) AS n WHERE b.environment = 'live'
    """,
    """
    INSERT INTO ledger_block_member (book_id, number, position, transaction_id, digest)
    SELECT b.id, 1 + (f.n - 1) / %(block)s, 1 + (f.n - 1) %% %(block)s, f.id, ''
    FROM f11 f, ledger_book b WHERE b.environment = 'live'
    """,
    "SET session_replication_role = origin",
    "ANALYZE ledger_account, ledger_transaction, ledger_posting, ledger_block_member",
)
_BARE = """
SELECT a.gl_code, a.asset, sum(e.dp), sum(e.cp)
FROM (SELECT debit_account_id AS id, amount_minor::numeric AS dp, 0::numeric AS cp FROM ledger_posting
      UNION ALL SELECT credit_account_id, 0, amount_minor FROM ledger_posting) AS e
JOIN ledger_account a ON a.id = e.id GROUP BY 1, 2
"""


def trial_balance_and_statement(stack: LocalStack) -> Row:
    """Fill the live book, then take the slowest of the reports' medians."""
    with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
        for statement in _FILL:
            connection.execute(statement, {"users": _USERS, "transactions": _TRANSACTIONS, "block": _IN_A_BLOCK})
        baseline = _milliseconds(lambda: connection.execute(_BARE).fetchall())
    measured = {name: _milliseconds(work) for name, work in _works().items()}
    slowest = max(measured.values())
    return Row(
        "F11",
        slowest,
        "ms",
        baseline,
        slowest / baseline,
        "≤ 300 ms",
        "; ".join(f"{name} {took:.0f} ms" for name, took in measured.items())
        + f"; {2 * _TRANSACTIONS:,} postings; baseline: the same sums straight from the postings",
    )


def _works() -> dict[str, Callable[[], object]]:
    from ledger.reports import books
    from ledger.reports.scopes import scope_of
    from ledger.statements import place_before_newest, statement

    last = _TRANSACTIONS // _IN_A_BLOCK

    def newest_page() -> object:
        place = place_before_newest(environment="live", address="bank:f11", asset="EUR")
        return statement(environment="live", address="bank:f11", asset="EUR", after=place)

    return {
        "trial balance now": lambda: books.trial_balance(scope_of(environment="live")),
        "as of the block before the last": lambda: books.trial_balance(scope_of(environment="live", block=last - 1)),
        "newest statement page of an account with all postings": newest_page,
        "its first page": lambda: statement(environment="live", address="bank:f11", asset="EUR"),
    }


def _milliseconds(work: Callable[[], object]) -> float:
    took = []
    for _ in range(_ROUNDS):
        began = time.monotonic()
        work()
        took.append((time.monotonic() - began) * 1000)
    return statistics.median(took)
