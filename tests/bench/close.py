"""F9 and F10: all checks of a close, and its artifacts, over as many orders as CLOSE_BENCH_ORDERS says (a million).

A day of processed buys in the live book, written past the triggers by the superuser: order, quote, trade, event, last moves,
hold, three postings each. The last ten thousand are of the day after: a window of their own.
"""

import os
import statistics
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from config.local.stack import LocalStack
from tests.bench.filling import indexes_at_the_end
from tests.bench.rows import Row

ORDERS: Final = int(os.environ.get("CLOSE_BENCH_ORDERS", "1000000"))
SMALL: Final = min(10_000, ORDERS // 2)
NEXT = datetime.now(UTC).date() - timedelta(days=1)
DAY = NEXT - timedelta(days=1)
_ROUNDS = 3

_FILL: Final[tuple[LiteralString, ...]] = (
    "SET session_replication_role = replica",
    "SET synchronous_commit = off",
    """
    CREATE TEMP TABLE f9 AS
    SELECT n, lpad(n::text, 26, '0') AS ref, uuidv7() AS reserve, uuidv7() AS settle, uuidv7() AS debit, uuidv7() AS pending,
           CASE WHEN n <= %(large)s THEN %(day)s + n * interval '80 milliseconds'
                ELSE %(next)s + (n - %(large)s) * interval '5 seconds' END AS at
    FROM generate_series(1, %(orders)s) AS n
    """,
    """
    INSERT INTO wallets_operator (reference, name, slug, kind, zone, created_at)
    VALUES ('op_f9', 'F9', 'f9', 'operator', 'UTC', now())
    """,
    """
    INSERT INTO ledger_account (book_id, address, asset, account_class, gl_code, normal_side, workflow_view, balance_rule)
    SELECT b.id, x.* FROM ledger_book b, (VALUES
        ('operators:f9:due', 'EUR', 'asset', '1100', 'debit', 'operators', 'none'),
        ('transit:orders:f9', 'EUR', 'liability', '2900', 'credit', 'transit', 'none'),
        ('revenue:f9', 'EUR', 'income', '4000', 'credit', 'revenue', 'none')) AS x
    WHERE b.environment = 'live'
    """,
    """
    INSERT INTO orders_quote (reference, environment, operator_id, version, created_at, updated_at, state, pool_id, pool_code,
        side, user_reference, source_asset, source_minor, fee_minor, vat_minor, fee_items, cash_asset, cash_minor, fx_source,
        target_asset, target_minor, expires_at, accepted_at, order_reference, venue_quote_id)
    SELECT 'quo_' || ref, 'live', o.id, 2, at, at, 'accepted', 1, 'EUR-USDT', 'buy', 'u' || n %% 5000, 'EUR', 1000, 0, 0, '[]',
           'EUR', 1000, '', 'USDT', 1080000000, at + interval '30 seconds', at, 'ord_' || ref, ''
    FROM f9, wallets_operator o WHERE o.slug = 'f9'
    """,
    """
    INSERT INTO orders_order (reference, environment, operator_id, version, created_at, updated_at, state, side, status_reason,
        partner_order_id, user_reference, quote_reference, pool_code, idempotency_key, request_id, source_asset, source_minor,
        target_asset, target_minor, execute_by, ended_at, reconciliation_state)
    SELECT 'ord_' || ref, 'live', o.id, 5, at, at, 'processed', 'buy', '', 'p-' || n, 'u' || n %% 5000, 'quo_' || ref,
           'EUR-USDT', 'k-' || n, 'req_' || ref, 'EUR', 1000, 'USDT', 1080000000, at + interval '15 minutes', at, 'open'
    FROM f9, wallets_operator o WHERE o.slug = 'f9'
    """,
    """
    INSERT INTO orders_trade (reference, environment, operator_id, version, created_at, updated_at, state, order_reference,
        quote_reference, pool_id, pool_code, idempotency_key, hold_key, retry_of, terms, ended_at)
    SELECT 'trd_' || ref, 'live', o.id, 2, at, at, 'settled', 'ord_' || ref, 'quo_' || ref, 1, 'EUR-USDT', 'k-' || n,
           'trd_' || ref || ':reserve', '',
           '{"settled_by": "TRADE_SETTLE", "amounts": {"net": {"minor": "1000", "asset": "EUR"}}, "accounts": {}}', at
    FROM f9, wallets_operator o WHERE o.slug = 'f9'
    """,
    """
    INSERT INTO ledger_move (environment, operator_id, machine, subject, sequence, from_state, to_state, actor, cause,
        request_id, event_reference, moved_at)
    SELECT 'live', o.id, m.machine, m.prefix || f.ref, m.sequence, m.was, m.goes, 'saga', 'bench', '', '', f.at
    FROM f9 f, wallets_operator o, (VALUES
        ('quote', 'quo_', 2, 'active', 'accepted'), ('trade', 'trd_', 2, 'reserved', 'settled'),
        ('order', 'ord_', 5, 'operator_debited', 'processed')) AS m (machine, prefix, sequence, was, goes)
    WHERE o.slug = 'f9'
    """,
    """
    INSERT INTO ledger_event (reference, environment, operator_id, topic, aggregate, sequence, payload, public, request_id,
        recorded_at)
    SELECT 'evt_' || ref, 'live', o.id, 'trade.settled', 'trd_' || ref, 2,
           jsonb_build_object('transact_id', 'trd_' || ref, 'order_id', 'ord_' || ref, 'quote_id', 'quo_' || ref, 'status',
                              'settled'), true, '', at
    FROM f9, wallets_operator o WHERE o.slug = 'f9'
    """,
    """
    INSERT INTO ledger_transaction (id, book_id, key, event_type, phase, subject, refs, metadata, request_id, effective_at,
        recorded_at)
    SELECT x.id, b.id, x.key, x.event_type, x.phase, 'ord_' || f.ref,
           jsonb_build_object('order', 'ord_' || f.ref, 'trade', 'trd_' || f.ref, 'quote', 'quo_' || f.ref),
           '{}', '', f.at, f.at
    FROM f9 f CROSS JOIN ledger_book b CROSS JOIN LATERAL (VALUES
        (f.reserve, 'trd_' || f.ref || ':reserve', 'TRADE_RESERVE', 'reserve'),
        (f.debit, 'ord_' || f.ref || ':debit_confirmed', 'ORDER_DEBIT_CONFIRMED', 'plain'),
        (f.settle, 'trd_' || f.ref || ':settle', 'TRADE_SETTLE', 'settle')) AS x (id, key, event_type, phase)
    WHERE b.environment = 'live'
    """,
    """
    INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, pending_id, debit_account_id, credit_account_id,
        asset, amount_minor)
    SELECT x.id, x.transaction_id, 0, b.id, x.kind, x.pending_id, d.id, c.id, 'EUR', 1000
    FROM f9 f CROSS JOIN ledger_book b CROSS JOIN LATERAL (VALUES
        (f.pending, f.reserve, 'pending', NULL::uuid, 'transit:orders:f9', 'revenue:f9'),
        (uuidv7(), f.debit, 'posted', NULL, 'operators:f9:due', 'transit:orders:f9'),
        (uuidv7(), f.settle, 'post', f.pending, 'transit:orders:f9', 'revenue:f9')
        ) AS x (id, transaction_id, kind, pending_id, debit, credit)
    JOIN ledger_account d ON d.book_id = b.id AND d.address = x.debit AND d.asset = 'EUR'
    JOIN ledger_account c ON c.book_id = b.id AND c.address = x.credit AND c.asset = 'EUR'
    WHERE b.environment = 'live'
    """,
    """
    INSERT INTO ledger_hold (transaction_id, book_id, state, ended_by, ended_at)
    SELECT f.reserve, b.id, 'posted', f.settle, f.at FROM f9 f, ledger_book b WHERE b.environment = 'live'
    """,
    """
    UPDATE ledger_account a SET
        debits_posted = CASE WHEN a.address LIKE 'revenue%%' THEN 0 ELSE 1000::numeric * %(orders)s END,
        credits_posted = CASE WHEN a.address LIKE 'operators%%' THEN 0 ELSE 1000::numeric * %(orders)s END
    WHERE a.address IN ('operators:f9:due', 'transit:orders:f9', 'revenue:f9')
    """,
    "SET session_replication_role = origin",
)
_FILLED: Final = (
    "orders_quote",
    "orders_order",
    "orders_trade",
    "ledger_move",
    "ledger_event",
    "ledger_transaction",
    "ledger_posting",
    "ledger_hold",
)

_SEARCH = """
import resource, sys, time
import django; django.setup()
from datetime import date
from ledger.controls import clock
from reconciliation import findings
from reconciliation.check_registry import every_check
from reconciliation.progress import Silent
from reconciliation.snapshot import snapshot
from reconciliation.windows import window_of
window = window_of(environment="live", business_date=date.fromisoformat(sys.argv[1]))
with snapshot() as cursor:
    began = time.monotonic()
    found = findings.search(cursor=cursor, window=window, as_of=clock.now(), checks=every_check(), progress=Silent())
    took = time.monotonic() - began
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, sum(found.per_check.values()))
"""
_RUN = """
import sys, time
import django; django.setup()
from datetime import date
from reconciliation import close_runs
close = close_runs.ensure(environment="live", business_date=date.fromisoformat(sys.argv[1]))
began = time.monotonic()
report = close_runs.run(close=close)
print(time.monotonic() - began, sum(report.records.values()), sum(report.breaks.values()))
"""

_KEEP = """
import sys
import django; django.setup()
from datetime import date
from reconciliation import close_runs, day_movements
close = close_runs.ensure(environment="live", business_date=date.fromisoformat(sys.argv[1]))
day_movements.keep(close, window=close_runs.window_of_close(close))
print(0, 0, 0)
"""


def checks_and_artifacts(stack: LocalStack, say: Any) -> list[Row]:
    """Fill the live book, then measure the checks of both days, and the first day's files through HTTP."""
    _keep_the_schedule_away()
    parameters = {
        "orders": ORDERS,
        "large": ORDERS - SMALL,
        "day": datetime.combine(DAY, datetime.min.time(), UTC),
        "next": datetime.combine(NEXT, datetime.min.time(), UTC),
    }
    with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
        say(f"filling {ORDERS:,} orders …")
        with indexes_at_the_end(connection, _FILLED):
            for statement in _FILL:
                connection.execute(statement, parameters)
        connection.execute("ANALYZE")
        whole = _checked("F9", stack, connection, DAY, ORDERS - SMALL, "≤ 2× the bare queries, ≤ 15 s, ≤ 200 MB")
        files = _artifacts(stack, connection)
        _lock(stack, connection)
        return [whole, _checked("F9 window", stack, connection, NEXT, SMALL, "≤ 0.5 s"), files]


def _keep_the_schedule_away() -> None:
    """Make the two dates' closes before their records: the workers would run them beside us, else."""
    from reconciliation import close_runs
    from reconciliation.models import CloseRun

    for day in (DAY, NEXT):
        close = close_runs.ensure(environment="live", business_date=day)
        CloseRun.objects.filter(pk=close.pk).update(available_at=None)


def _checked(name: str, stack: LocalStack, connection: psycopg.Connection, day: date, number: int, reach: str) -> Row:
    measured = [_child(stack, _SEARCH, day) for _ in range(_ROUNDS)]
    seconds = statistics.median(one[0] for one in measured)
    assert {one[2] for one in measured} == {0}, "the day has no breaks"
    bare = statistics.median(_bare(connection, day) for _ in range(_ROUNDS))
    return Row(
        name,
        seconds * 1000,
        "ms",
        bare * 1000,
        seconds / bare,
        reach,
        f"{_checks_there()} checks over {number:,} orders, quotes, trades, events and {3 * number:,} postings"
        f" (of {ORDERS:,} and {3 * ORDERS:,}); {max(one[1] for one in measured) / 1024:.0f} MB;"
        " baseline: the same queries counted by psycopg",
    )


def _lock(stack: LocalStack, connection: psycopg.Connection) -> None:
    """Lock the first day, so that the next one's balances are checked from there, as they are on a day after a signed one."""
    connection.execute("SET session_replication_role = replica")
    connection.execute("UPDATE reconciliation_closerun SET state = 'locked' WHERE business_date = %s", [DAY])
    connection.execute("SET session_replication_role = origin")
    _child(stack, _KEEP, DAY)
    connection.execute("ANALYZE reconciliation_daymovement")


def _artifacts(stack: LocalStack, connection: psycopg.Connection) -> Row:
    took, rows, _ = _child(stack, _RUN, DAY)
    key = _house_key()
    request = urllib.request.Request(
        f"{stack.url}/v1/closes/{DAY}/artifacts", headers={"Authorization": f"Bearer {key}"}
    )
    began = time.monotonic()
    size = 0
    with urllib.request.urlopen(request, timeout=600) as answer:
        while block := answer.read(1 << 20):
            size += len(block)
    through_http = size / (time.monotonic() - began) / 1e6
    began = time.monotonic()
    copied = _copied(connection)
    bare = copied / (time.monotonic() - began) / 1e6
    return Row(
        "F10",
        through_http,
        "MB/s",
        bare,
        through_http / bare,
        "≥ 0.7 of bare psycopg COPY",
        f"{size / 1e6:.0f} MB in one ZIP through HTTP; the run that made and hashed {rows:,.0f} rows, checked the day and"
        f" marked its orders took {took:.0f} s; baseline: the same queries by psycopg COPY, thrown away",
    )


def _child(stack: LocalStack, program: str, day: date) -> tuple[float, float, float]:
    environment = {**os.environ, **stack.environment}
    said = subprocess.run(
        [sys.executable, "-c", program, day.isoformat()], env=environment, capture_output=True, text=True, check=True
    )
    took, second, third = said.stdout.strip().splitlines()[-1].split()
    return float(took), float(second), float(third)


def _parameters(connection: psycopg.Connection, day: date) -> dict[str, Any]:
    from reconciliation import day_movements
    from reconciliation.windows import window_of

    window = window_of(environment="live", business_date=day)
    return {**window.parameters(), **day_movements.kept_before(window), "as_of": window.end, "close": "cls_f9"}


def _bare(connection: psycopg.Connection, day: date) -> float:
    """Count what each check finds, in one snapshot, with the settings that any careful person would choose."""
    from reconciliation.check_registry import every_check

    parameters = _parameters(connection, day)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1; SET LOCAL work_mem = '32MB'")
        began = time.monotonic()
        for check in every_check():
            connection.execute(
                sql.SQL("SELECT count(*) FROM ({}) AS found").format(sql.SQL(check.query)),
                parameters,
            ).fetchone()
        return time.monotonic() - began


def _copied(connection: psycopg.Connection) -> int:
    from reconciliation.artifact_registry import every_artifact

    size = 0
    parameters = _parameters(connection, DAY)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1; SET LOCAL work_mem = '32MB'")
        for artifact in every_artifact():
            statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER)").format(sql.SQL(artifact.query))
            with cursor.copy(statement, parameters) as copy:
                for block in copy:
                    size += len(block)
    return size


def _checks_there() -> int:
    from reconciliation.check_registry import every_check

    return len(every_check())


def _house_key() -> str:
    from ledger.controls import clock
    from wallets import operators
    from wallets.models import Operator

    now = clock.now()
    house = Operator.objects.filter(kind=Operator.Kind.HOUSE).first() or operators.create_operator(
        name="House", slug="house", kind=Operator.Kind.HOUSE, now=now
    )
    issued = operators.issue_key(
        operator=house, environment="live", label="bench", scopes=["finance"], created_by="bench", now=now
    )
    return issued.secret
