"""What a statement's line may be about: transactions of our book on its source's account, with the ids they go by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final
from uuid import UUID

from django.db import connection

from ledger.books import number_of
from ledger.models import Book
from reconciliation.models import StatementLine, StatementSource
from reconciliation.statements.line import IDS

_SQL: Final = (Path(__file__).resolve().parent.parent / "sql" / "statement_candidates.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transaction's net on the account, positive for a debit. `ids` are those it goes by, per kind of id."""

    transaction_id: UUID
    key: str
    event_type: str
    subject: str
    asset: str
    amount_minor: int
    on_date: date
    ids: Mapping[str, frozenset[str]]


def found(*, source: StatementSource, lines: Sequence[StatementLine]) -> list[Candidate]:
    """Return every transaction that an id of these lines names, or that has the exact amount of one near its date, oldest
    first. One query.
    """
    return _asked(source, lines, None) if lines else []


def around(*, line: StatementLine) -> list[Candidate]:
    """Return what a person may look at: every transaction that an id of a line names, or of its asset near its date."""
    return _asked(line.source, [line], None, any_amount=True)


def of_transaction(*, source: StatementSource, transaction_id: UUID, asset: str) -> Candidate | None:
    """Return what a transaction moved of an asset on the source's account, None when it moved nothing there."""
    return next((one for one in _asked(source, [], transaction_id) if one.asset == asset), None)


def _asked(
    source: StatementSource, lines: Sequence[StatementLine], also: UUID | None, *, any_amount: bool = False
) -> list[Candidate]:
    with connection.cursor() as cursor:
        cursor.execute(
            _SQL,
            {
                "book": number_of(source.environment),
                "environment": source.environment,
                "account": source.account,
                "operator": source.operator_id,
                "zone": Book.objects.values_list("close_zone", flat=True).get(environment=source.environment),
                "window": source.date_window_days,
                "lines": [line.pk for line in lines],
                "also": also,
                "any_amount": any_amount,
            },
        )
        rows = cursor.fetchall()
    return [
        Candidate(
            transaction_id=row[0],
            key=row[1],
            event_type=row[2],
            subject=row[3],
            asset=row[4],
            amount_minor=int(row[5]),
            on_date=row[6],
            ids=dict(zip(IDS, (frozenset(ids) for ids in row[7:11]), strict=True)),
        )
        for row in rows
    ]
