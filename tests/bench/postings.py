"""F1 and F2: single postings through the write door, against pgbench and against single-row inserts."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from config.local import binaries
from config.local.stack import LocalStack
from tests.bench.rows import Row

_SECONDS = 6
_ROUNDS = 3
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)

_ANCHOR = "INSERT INTO bench_anchor (payload) VALUES ('a row of about the size of a posting, with some text');"
UNIFORM = r"""
\set a random(1, 1000)
\set b random(1, 1000)
\set k random(1, 9000000000000000000)
SELECT 1 / cast(coalesce(code, '') = 'created' AS integer), transaction_id FROM ledger_post_one(
    cast(:book AS smallint), :stamp, 'bench' || cast(:k AS bigint), 'OPENING_BALANCE', 'plain', 'bench', '{}', '{}', '',
    NULL, 0, 1, concat_ws(chr(58), 'bench', 'payer', cast(:a AS integer)),
    concat_ws(chr(58), 'bench', 'payee', cast(:b AS integer)), 'EUR', 1);
"""
"""What the write door says for a posting by itself; fails where it is not created.

pgbench is told `book` and `stamp`, as the door's process knows them.
"""

_PYTHON = """
import sys, time, uuid
import django; django.setup()
from ledger import journal
from ledger.drafts import Draft
from ledger.money import Money
one = {"amount": Money(1, "EUR")}
until, count = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < until:
    count += 1
    draft = Draft(event_type="OPENING_BALANCE", key=f"bench:{uuid.uuid4()}", subject="bench", amounts=one,
        accounts={"world": f"bench:payer:{count % 1000 + 1}", "account": f"bench:payee:{count * 7 % 1000 + 1}"})
    assert journal.post(environment="test", drafts=[draft])[0].code == "created"
print(count / float(sys.argv[1]))
"""


def prepare(stack: LocalStack) -> None:
    """Open a thousand payers with a balance rule, funded, and a thousand payees; make the anchor's table."""
    with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS bench_anchor (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload text)"
        )
        connection.execute(
            """
            WITH book AS (SELECT id::smallint FROM ledger_book WHERE environment = 'test'),
            wanted AS (SELECT side || ':' || n AS address, side FROM generate_series(1, 1000) AS n,
                       unnest(ARRAY['bench:payer', 'bench:payee']) AS side
                       UNION ALL SELECT 'bench:source', 'bench:source' UNION ALL SELECT 'bench:hot', 'bench:hot')
            SELECT ledger_open_accounts(book.id, array_agg(address), array_agg('EUR'::text), array_agg('liability'::text),
                array_agg('2004'::text), array_agg('credit'::text), array_agg('bench'::text),
                array_agg(CASE WHEN side = 'bench:payer' THEN 'debits_must_not_exceed_credits' ELSE 'none' END))
            FROM book, wanted GROUP BY book.id
            """
        )
        connection.execute(
            """
            SELECT count(*) FROM ledger_post((SELECT id FROM ledger_book WHERE environment = 'test')::smallint,
                '[{"key": "bench:funding", "event_type": "OPENING_BALANCE", "phase": "plain", "subject": "bench"}]',
                (SELECT array_agg(1) FROM generate_series(1, 1000)),
                (SELECT array_agg('bench:source'::text) FROM generate_series(1, 1000)),
                (SELECT array_agg('bench:payer:' || n) FROM generate_series(1, 1000) AS n),
                (SELECT array_agg('EUR'::text) FROM generate_series(1, 1000)),
                (SELECT array_agg(1000000000::numeric) FROM generate_series(1, 1000)))
            """
        )


def anchor(stack: LocalStack, *, clients: int) -> float:
    """Return single-row INSERT commits a second."""
    return pgbench(stack, _ANCHOR, clients=clients)


def single_through_python(stack: LocalStack) -> Row:
    """F1: one connection, Python's write door against pgbench calling the same function."""
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        theirs.append(pgbench(stack, UNIFORM, clients=1))
        ours.append(through_python(stack))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return Row(
        "F1",
        statistics.median(ours),
        "postings/s",
        statistics.median(theirs),
        ratio,
        "≥ 0.75",
        "one connection; baseline: pgbench, the same function",
    )


def function_at_sixteen(stack: LocalStack) -> Row:
    """F2: the function at 16 connections against the anchor."""
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        theirs.append(anchor(stack, clients=16))
        ours.append(pgbench(stack, UNIFORM, clients=16))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return Row(
        "F2",
        statistics.median(ours),
        "postings/s",
        statistics.median(theirs),
        ratio,
        "≥ 0.40",
        "16 connections, uniform; baseline: single-row INSERT commits",
    )


def pgbench(stack: LocalStack, script: str, *, clients: int, seconds: int = _SECONDS) -> float:
    """Return a script's transactions a second, run by pgbench from that many connections."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.sql"
        path.write_text(script, encoding="utf-8")
        command = [
            str(binaries.postgres_folder() / "pgbench"),
            "-n",
            "-M",
            "prepared",
            "-f",
            str(path),
            "-T",
            str(seconds),
            "-c",
            str(clients),
            "-j",
            str(min(clients, 2)),
            *(part for name, value in _constants(stack).items() for part in ("-D", f"{name}={value}")),
            stack.superuser_url(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr[-2000:]
    found = _TPS.search(done.stdout)
    assert found, done.stdout
    return float(found[1])


def _constants(stack: LocalStack) -> dict[str, int]:
    with psycopg.connect(stack.superuser_url()) as connection:
        row = connection.execute(
            "SELECT b.id, s.stamp FROM ledger_book b, ledger_template_stamp s WHERE environment = 'test'"
        ).fetchone()
    assert row is not None
    return {"book": row[0], "stamp": row[1]}


def through_python(stack: LocalStack, *, seconds: int = _SECONDS) -> float:
    """Return single postings a second through the write door: one process, one connection."""
    done = subprocess.run(
        [sys.executable, "-c", _PYTHON, str(seconds)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, **stack.environment},
    )
    return float(done.stdout.split()[-1])
