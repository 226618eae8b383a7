"""F3, F4 and verify: hot accounts, long lists, and the whole check of a book of a million postings."""

import os
import statistics
import subprocess
import sys
import time

import psycopg

from config.local.stack import LocalStack
from tests.bench.postings import UNIFORM, pgbench
from tests.bench.rows import Row

_ROUNDS = 3
_LIST = 1000
_BULK = 10_000
_VERIFIED = 1_000_000
_FILL_SECONDS = 50.0  # on a busy machine the book stays smaller: the row says how large it is

_HOT = UNIFORM.replace(
    "concat_ws(chr(58), 'bench', 'payee', cast(:b AS integer))", "concat_ws(chr(58), 'bench', 'hot')"
)
assert _HOT != UNIFORM

_LISTED = f"""
SELECT count(*) FROM ledger_post((SELECT id FROM ledger_book WHERE environment = 'test')::smallint,
    (SELECT jsonb_agg(jsonb_build_object('key', 'bench' || uuidv7(), 'event_type', 'OPENING_BALANCE', 'phase', 'plain',
        'subject', 'bench', 'refs', '{{}}'::jsonb, 'metadata', '{{}}'::jsonb, 'request_id', '', 'effective_at', NULL,
        'timeout', 0, 'hold_key', NULL, 'linked', false)) FROM generate_series(1, {_LIST})),
    (SELECT array_agg(n) FROM generate_series(1, {_LIST}) AS n),
    (SELECT array_agg(concat_ws(chr(58), 'bench', 'payer', n % 1000 + 1)) FROM generate_series(1, {_LIST}) AS n),
    (SELECT array_agg(concat_ws(chr(58), 'bench', 'payee', n * 7 % 1000 + 1)) FROM generate_series(1, {_LIST}) AS n),
    (SELECT array_agg(cast('EUR' AS text)) FROM generate_series(1, {_LIST})),
    (SELECT array_agg(cast(1 AS numeric)) FROM generate_series(1, {_LIST})));
"""

_PYTHON = """
import sys, time, uuid
import django; django.setup()
from ledger import journal
from ledger.drafts import Draft
from ledger.money import Money
one, size = {"amount": Money(1, "EUR")}, int(sys.argv[2])
def drafts():
    run = uuid.uuid4().hex
    return [Draft(event_type="OPENING_BALANCE", key=f"bench:{run}:{n}", subject="bench", amounts=one,
        accounts={"world": f"bench:payer:{n % 1000 + 1}", "account": f"bench:payee:{n * 7 % 1000 + 1}"})
        for n in range(size)]
def post(batch):
    assert {result.code for result in journal.post(environment="test", drafts=batch)} == {"created"}
post(drafts())
spent, count = 0.0, 0
while spent < float(sys.argv[1]):
    batch = drafts()
    began = time.perf_counter()
    post(batch)
    spent += time.perf_counter() - began
    count += size
print(count / spent)
"""

_FILL = """
SELECT count(*) FROM ledger_post((SELECT id FROM ledger_book WHERE environment = 'test')::smallint,
    (SELECT jsonb_agg(jsonb_build_object('key', 'bench' || uuidv7(), 'event_type', 'OPENING_BALANCE', 'phase', 'plain',
        'subject', 'bench' || n)) FROM generate_series(1, 1000) AS n),
    (SELECT array_agg(n / 5 + 1) FROM generate_series(0, 4999) AS n),
    (SELECT array_agg('bench:source'::text) FROM generate_series(1, 5000)),
    (SELECT array_agg('bench:payee:' || n % 1000 + 1) FROM generate_series(1, 5000) AS n),
    (SELECT array_agg('EUR'::text) FROM generate_series(1, 5000)),
    (SELECT array_agg(n::numeric) FROM generate_series(1, 5000) AS n))
"""


def hot_account(stack: LocalStack) -> list[Row]:
    """F3: all credit one account without a balance rule, against a thousand such accounts; 16 and 64 connections."""
    rows = []
    for clients in (16, 64):
        hot, uniform = [], []
        for _ in range(_ROUNDS):
            uniform.append(pgbench(stack, UNIFORM, clients=clients, seconds=5))
            hot.append(pgbench(stack, _HOT, clients=clients, seconds=5))
        ratio = statistics.median(a / b for a, b in zip(hot, uniform, strict=True))
        rows.append(
            Row(
                f"F3 {clients}",
                statistics.median(hot),
                "postings/s",
                statistics.median(uniform),
                ratio,
                "≥ 0.9",
                f"{clients} connections credit one account; baseline: the same function, uniform",
            )
        )
    return rows


def long_lists(stack: LocalStack) -> list[Row]:
    """F4: lists of 1000 through the write door against pgbench calling the same function; and a bulk of 10,000."""
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        theirs.append(pgbench(stack, _LISTED, clients=1, seconds=6) * _LIST)
        ours.append(_python(stack, size=_LIST))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    baseline = statistics.median(theirs)
    bulk = _python(stack, size=_BULK)
    return [
        Row(
            "F4",
            statistics.median(ours),
            "postings/s",
            baseline,
            ratio,
            "≥ 20,000/s and ≥ 0.85",
            f"lists of {_LIST} through the write door; baseline: pgbench, the same function and lists",
        ),
        Row(
            "F4 bulk",
            bulk,
            "postings/s",
            baseline,
            bulk / baseline,
            "works",
            f"{_BULK} in one call through the write door; baseline: as F4",
        ),
    ]


def verified(stack: LocalStack) -> Row:
    """A book of a million postings, sealed, through `verify_ledger`; against the fold of its balances in bare SQL."""
    with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
        began = time.monotonic()
        while _postings(connection) < _VERIFIED and time.monotonic() - began < _FILL_SECONDS:
            connection.execute(_FILL)
        connection.execute("SELECT ledger_fold(100000000)")
        while connection.execute(
            "SELECT ledger_seal(id::smallint) FROM ledger_book WHERE environment = 'test'"
        ).fetchone():
            pass
        connection.execute("VACUUM (ANALYZE)")
        postings = _postings(connection)
        began = time.perf_counter()
        connection.execute(
            "SELECT account_id, sum(amount) FROM (SELECT debit_account_id, -amount_minor FROM ledger_posting UNION ALL"
            " SELECT credit_account_id, amount_minor FROM ledger_posting) AS p (account_id, amount) GROUP BY account_id"
        )
        bare = time.perf_counter() - began
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "manage.py", "verify_ledger", "--environment", "test"],
        capture_output=True,
        text=True,
        timeout=85,
        env={**os.environ, **stack.environment},
    )
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return Row(
        "verify",
        postings / seconds,
        "postings/s",
        postings / bare,
        bare / seconds,
        "",
        f"verify_ledger over {postings:,} postings, seals in them, in {seconds:.1f} s; "
        f"baseline: the fold alone, bare SQL, in {bare:.1f} s",
    )


def _postings(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM ledger_posting").fetchone()
    assert row is not None
    return int(row[0])


def _python(stack: LocalStack, *, size: int) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _PYTHON, "6", str(size)],
        capture_output=True,
        text=True,
        check=True,
        timeout=80,
        env={**os.environ, **stack.environment},
    )
    return float(done.stdout.split()[-1])
