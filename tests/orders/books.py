"""What stands in the books and beside them, for tests that compare a world with another or with itself."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from ledger.models import Event, Move, Posting

Line = tuple[str, str, str, str, str, int]

_BALANCES = """
SELECT address, asset, debits_posted::text, credits_posted::text, debits_pending::text, credits_pending::text
FROM ledger_balance WHERE book_id = (SELECT id FROM ledger_book WHERE environment = 'test')
"""


def lines(*, subject: str | None = None) -> Counter[Line]:
    """Return every posting as (event type, kind, debit, credit, asset, amount), whatever the references are called."""
    rows = Posting.objects.select_related("transaction", "debit_account", "credit_account")
    if subject is not None:
        rows = rows.filter(transaction__subject=subject)
    return Counter(
        (
            row.transaction.event_type,
            row.kind,
            row.debit_account.address,
            row.credit_account.address,
            row.asset,
            int(row.amount_minor),
        )
        for row in rows
    )


def moved(subject: str) -> Counter[Line]:
    """Return the postings of a subject that moved money."""
    return Counter({line: count for line, count in lines(subject=subject).items() if line[1] in ("posted", "post")})


def balances() -> dict[tuple[str, str], tuple[int, ...]]:
    """Return the four balances of every account of the test book: debits and credits posted, debits and credits pending."""
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES)
        return {(row[0], row[1]): tuple(int(number) for number in row[2:]) for row in cursor.fetchall()}


def topics(aggregate: str) -> list[str]:
    """Return the topics of an aggregate's events in sequence: the webhooks that they cause."""
    return list(Event.objects.filter(aggregate=aggregate).order_by("sequence").values_list("topic", flat=True))


def path(subject: str) -> list[str]:
    """Return the states that a subject moved to, in order."""
    return list(Move.objects.filter(subject=subject).order_by("sequence").values_list("to_state", flat=True))


@dataclass(frozen=True)
class World:
    """Everything that a refusal must leave as it was."""

    balances: Mapping[tuple[str, str], tuple[int, ...]]
    rows: Mapping[str, int]


_TABLES = (
    "ledger_posting",
    "ledger_transaction",
    "ledger_hold",
    "ledger_key",
    "ledger_account",
    "ledger_move",
    "ledger_event",
    "ledger_queuedevent",
    "ledger_approval",
    "orders_quote",
    "orders_order",
    "orders_trade",
    "orders_sagarun",
    "orders_reviewcase",
    "orders_reviewnote",
    "wallets_remoteoperation",
    "wallets_remoteattempt",
)


def world() -> World:
    counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in _TABLES)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}")
        row = cursor.fetchone()
    assert row is not None
    return World(balances(), dict(zip(_TABLES, row, strict=True)))
