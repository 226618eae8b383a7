"""F15: what the same call costs in a book of ten million postings against one of next to none, in processor time.

Filled in steps, and measured at each: a posting through the write door, its repeat by the same key, a balance, the first
page of a statement, and the sealing of a block. Everything is asked of accounts and keys chosen at random from all there are.
"""

import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection as django_connection

from config.local.stack import LocalStack
from tests.bench import filled
from tests.bench.rows import Row

_SIZES = (2_000, 1_000_000, 10_000_000)  # postings; the first is as good as none
_EACH = 50  # pay-ins of a user
_STEP = 250_000  # pay-ins filled at once
_FILL_SECONDS = 1_800.0  # on a busy machine the book stays smaller: the rows say how large it is
_ROUNDS = 7  # the least of them counts: what else the machine does only adds
_SEALS = 3
_BLOCK = 10_000
_REACH = "≤ 1.25"


@dataclass(frozen=True, slots=True)
class Taken:
    """Microseconds a call: of the backend's processor, and by the clock."""

    processor: float
    clock: float


def ten_million(stack: LocalStack) -> list[Row]:
    """Measure at each size; the value is of the largest, the baseline of the smallest."""
    began = time.monotonic()
    found: dict[int, dict[str, Taken]] = {}
    with psycopg.connect(stack.superuser_url(), autocommit=True) as superuser:
        pay_ins = 0
        for size in _SIZES:
            while pay_ins < size // 2 and time.monotonic() - began < _FILL_SECONDS:
                last = min(pay_ins + _STEP, size // 2)
                filled.add(
                    superuser, environment="test", first=pay_ins + 1, last=last, total=_SIZES[-1] // 2, each=_EACH
                )
                pay_ins = last
            superuser.execute("VACUUM (ANALYZE)")
            superuser.execute("CHECKPOINT")
            found[2 * pay_ins] = _measured(superuser, pay_ins)
    smallest, *others = found
    largest = max(others)
    return [
        Row(
            f"F15 {name}",
            found[largest][name].processor,
            "µs",
            found[smallest][name].processor,
            found[largest][name].processor / found[smallest][name].processor,
            _REACH,
            f"processor time of the backend, {largest:,} postings; baseline: {smallest:,}; "
            + "; ".join(
                f"{size:,}: {taken[name].processor:,.0f} µs, by the clock {taken[name].clock:,.0f} µs"
                for size, taken in found.items()
            ),
        )
        for name in found[largest]
    ]


def _measured(superuser: psycopg.Connection, pay_ins: int) -> dict[str, Taken]:
    from ledger import balances, journal
    from ledger.drafts import Draft
    from ledger.money import Money
    from ledger.statements import place_before_newest, statement

    chosen = random.Random(15)

    def user() -> str:
        return f"users:filled-{chosen.randint(1, pay_ins // _EACH)}:available"

    def draft(key: str) -> Draft:
        payer = user()
        payee = next(other for other in iter(user, "") if other != payer)
        accounts = {"world": payer, "account": payee}
        return Draft("OPENING_BALANCE", key, subject="flat", accounts=accounts, amounts={"amount": Money(1, "EUR")})

    def posted() -> None:
        assert journal.post(environment="test", drafts=[draft(f"flat:{uuid.uuid4()}")])[0].code == "created"

    known = [draft(f"flat:{uuid.uuid4()}") for _ in range(200)]
    assert {result.code for result in journal.post(environment="test", drafts=known)} == {"created"}

    def repeated() -> None:
        assert journal.post(environment="test", drafts=[chosen.choice(known)])[0].code == "exists"

    def looked_up() -> None:
        with django_connection.cursor() as cursor:
            cursor.execute(
                "SELECT transaction_id FROM ledger_key WHERE book_id = (SELECT id FROM ledger_book WHERE environment = 'test')"
                " AND key = 'filled:' || md5(%s)",
                [str(chosen.randint(1, pay_ins))],
            )
            assert cursor.fetchone()

    def balance() -> None:
        assert balances.read(environment="test", accounts=[(user(), "EUR")])

    def first_page() -> None:
        assert len(statement(environment="test", address=user(), asset="EUR", limit=20).lines) == 20

    def newest_page() -> None:
        place = place_before_newest(environment="test", address=filled.BANK, asset="EUR")
        assert statement(environment="test", address=filled.BANK, asset="EUR", after=place).lines

    return {
        "posting": _taken(posted, calls=300),
        "repeat of a key": _taken(repeated, calls=200),
        "key looked up": _taken(looked_up, calls=300),
        "balance": _taken(balance, calls=300),
        "statement's first page": _taken(first_page, calls=100),
        "newest page of the fullest account": _taken(newest_page, calls=20),
        "block of 10,000": _sealed(superuser),
    }


def _taken(work: Callable[[], None], *, calls: int) -> Taken:
    with django_connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    for _ in range(calls // 5):
        work()
    rounds = []
    for _ in range(_ROUNDS):
        spent, began = _processor(pid), time.perf_counter()
        for _ in range(calls):
            work()
        rounds.append(((_processor(pid) - spent) / calls, (time.perf_counter() - began) * 1e6 / calls))
    return Taken(*(min(values) for values in zip(*rounds, strict=True)))


def _sealed(superuser: psycopg.Connection) -> Taken:
    (book,) = _row(superuser, "SELECT id FROM ledger_book WHERE environment = 'test'")
    (pid,) = _row(superuser, "SELECT pg_backend_pid()")
    rounds = []
    for _ in range(_SEALS):
        superuser.execute("SELECT ledger_fold(100000000)")
        while superuser.execute("SELECT FROM ledger_seal(%s::smallint)", [book]).fetchone():
            pass
        for _ in range(_BLOCK // 1_000):
            assert _row(superuser, _LISTED, [book]) == (1_000,)
        spent, began = _processor(pid), time.perf_counter()
        assert _row(superuser, "SELECT members FROM ledger_seal(%s::smallint, %s)", [book, _BLOCK]) == (_BLOCK,)
        rounds.append((_processor(pid) - spent, (time.perf_counter() - began) * 1e6))
    return Taken(*(min(values) for values in zip(*rounds, strict=True)))


def _row(connection: psycopg.Connection, statement: str, given: Sequence[object] | None = None) -> tuple[Any, ...]:
    row = connection.execute(statement.encode(), given).fetchone()
    assert row is not None
    return row


def _processor(pid: object) -> float:
    """Return the microseconds that a process has had of a processor; finer than the ticks in its `stat`."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1_000


_LISTED = """
SELECT count(*) FROM ledger_post(%s::smallint,
    (SELECT jsonb_agg(jsonb_build_object('key', 'flat:' || uuidv7(), 'event_type', 'OPENING_BALANCE', 'phase', 'plain',
        'subject', 'flat')) FROM generate_series(1, 1000)),
    (SELECT array_agg(n) FROM generate_series(1, 1000) AS n),
    (SELECT array_agg('bench:payer:' || n) FROM generate_series(1, 1000) AS n),
    (SELECT array_agg('bench:payee:' || n) FROM generate_series(1, 1000) AS n),
    (SELECT array_agg('EUR'::text) FROM generate_series(1, 1000)),
    (SELECT array_agg(1::numeric) FROM generate_series(1, 1000)))
"""
