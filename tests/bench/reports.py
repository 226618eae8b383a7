"""F11: trial balance and statement pages over a million postings, against the same sums straight from the postings."""

import statistics
import time
from collections.abc import Callable

import psycopg

from config.local.stack import LocalStack
from tests.bench import filled
from tests.bench.rows import Row

_TRANSACTIONS = 500_000
_EACH = 250  # of a user
_ROUNDS = 5

_BARE = """
SELECT a.gl_code, a.asset, sum(e.dp), sum(e.cp)
FROM (SELECT debit_account_id AS id, amount_minor::numeric AS dp, 0::numeric AS cp FROM ledger_posting
      UNION ALL SELECT credit_account_id, 0, amount_minor FROM ledger_posting) AS e
JOIN ledger_account a ON a.id = e.id GROUP BY 1, 2
"""


def trial_balance_and_statement(stack: LocalStack) -> Row:
    """Fill the live book, then take the slowest of the reports' medians."""
    with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
        filled.add(connection, environment="live", first=1, last=_TRANSACTIONS, total=_TRANSACTIONS, each=_EACH)
        connection.execute("ANALYZE ledger_account, ledger_transaction, ledger_posting, ledger_block_member")
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

    last = filled.blocks(_TRANSACTIONS)

    def newest_page() -> object:
        place = place_before_newest(environment="live", address=filled.BANK, asset="EUR")
        return statement(environment="live", address=filled.BANK, asset="EUR", after=place)

    return {
        "trial balance now": lambda: books.trial_balance(scope_of(environment="live")),
        "as of the block before the last": lambda: books.trial_balance(scope_of(environment="live", block=last - 1)),
        "newest statement page of an account with all postings": newest_page,
        "its first page": lambda: statement(environment="live", address=filled.BANK, asset="EUR"),
    }


def _milliseconds(work: Callable[[], object]) -> float:
    took = []
    for _ in range(_ROUNDS):
        began = time.monotonic()
        work()
        took.append((time.monotonic() - began) * 1000)
    return statistics.median(took)
