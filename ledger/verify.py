"""Recompute the book from its postings and name everything that does not agree.

Each check is one query in `ledger/sql/verify/` that returns what breaks it: book, subject, detail. All of them read
one snapshot, so that writers may go on meanwhile.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.db import connection
from django.db import transaction as db_transaction
from django.db.models import Max

from ledger.books import number_of
from ledger.controls import machines
from ledger.environments import Environment
from ledger.models import Block, Book, Unsealed

_QUERIES: Final = Path(__file__).resolve().parent / "sql" / "verify"


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of the book. `name` is also its query's file."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that breaks a check."""

    environment: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: how many breaks, and the first of them."""

    check: Check
    breaks: int
    findings: Sequence[Finding]


CHECKS: Final = (
    Check("balances", "a balance is the fold of its postings"),
    Check("zero_sum", "per asset all accounts sum to zero"),
    Check("overdrawn", "no account is overdrawn that may not be"),
    Check("holds_reserve", "what is pending is what open holds reserve"),
    Check("holds_end_once", "a hold ends once, with each of its pendings"),
    Check("closures", "an account is closed while a hold that closes it is open"),
    Check("postings", "a posting joins one transaction and two accounts of its book and asset"),
    Check("keys", "a transaction stands under its key and has postings"),
    Check("seals", "what was sealed is as it was sealed, in its order"),
    Check("seal_chain", "each block is chained to the one before"),
    Check("sealed_once", "each transaction is sealed or waits to be"),
    Check("outside_roots", "each root that left the database is that of its block"),
    Check("locked_periods", "nothing was posted into a locked period"),
    Check("transit", "nothing that has ended has left anything in transit"),
    Check("gl_drift", "a posting lands on a GL code of its event type's mapping"),
)
SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class OutsideRoot:
    """A root that was kept outside the database: of a close's manifest, the log, or the metrics."""

    environment: str
    number: int
    root: str


@dataclass(frozen=True, slots=True)
class Uncovered:
    """What no outside root covers: blocks `first` to `last` (none when `first` is greater), and what is not sealed."""

    environment: str
    first: int
    last: int
    unsealed: int


def verify(*, environment: str | None = None, roots: Sequence[OutsideRoot] = ()) -> Iterator[Verdict]:
    """Run the checks over one environment's book, or all books, and yield each verdict as it is known."""
    books = dict(Book.objects.values_list("id", "environment"))
    chosen = [number for number, name in books.items() if environment in (None, name)]
    ended = [(machine.name, state) for machine in machines.every() for state in sorted(machine.terminal())]
    asked: dict[str, list[int] | list[str]] = {
        "books": chosen,
        "root_books": [number_of(root.environment) for root in roots],
        "root_numbers": [root.number for root in roots],
        "roots": [root.root for root in roots],
        "ended_machines": [machine for machine, _ in ended],
        "ended_states": [state for _, state in ended],
    }
    with db_transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for check in CHECKS:
            cursor.execute((_QUERIES / f"{check.name}.sql").read_text(encoding="utf-8"), asked)
            rows = cursor.fetchmany(SHOWN)
            yield Verdict(
                check=check,
                breaks=cursor.rowcount,
                findings=[Finding(books[number], subject, detail) for number, subject, detail in rows],
            )


def uncovered(*, environment: str | None = None, roots: Sequence[OutsideRoot] = ()) -> list[Uncovered]:
    """Return, for each book, the interval that lies behind its last outside root: edits of it can still be hidden."""
    found = []
    for name in Environment:
        if environment in (None, name):
            book = number_of(name)
            last = Block.objects.filter(book_id=book).aggregate(last=Max("number"))["last"] or 0
            covered = max((root.number for root in roots if root.environment == name), default=0)
            waiting = Unsealed.objects.filter(book_id=book).count()
            found.append(Uncovered(environment=name, first=covered + 1, last=last, unsealed=waiting))
    return found


def volume(*, environment: str | None = None) -> dict[str, int]:
    """Return how much there is to verify: accounts, transactions, postings, open holds."""
    condition = "book_id IN (SELECT id FROM ledger_book WHERE environment = coalesce(%s, environment))"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (SELECT count(*) FROM ledger_account WHERE {condition}),"  # noqa: S608  (a constant)
            f" (SELECT count(*) FROM ledger_transaction WHERE {condition}),"
            f" (SELECT count(*) FROM ledger_posting WHERE {condition}),"
            f" (SELECT count(*) FROM ledger_hold WHERE state = 'open' AND {condition})",
            [environment] * 4,
        )
        row = cursor.fetchone()
    assert row is not None
    return dict(zip(("accounts", "transactions", "postings", "open holds"), map(int, row), strict=True))
