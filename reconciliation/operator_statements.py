"""An operator's statement of a date: what moved between it and us, what is owed, what is left to settle.

In the operator's words and ids only: no account, no gateway, nobody else's. Amounts are in minor units; positive is what
the operator owes us.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from django.db import connection

from ledger import accounts, assets
from ledger.books import number_of
from ledger.controls.rest.answers import instant
from ledger.reports.account_days import AccountDay, AssetDay
from reconciliation import cells
from wallets.models import Operator
from wallets.operations import settle_operator

KINDS: Final[Mapping[str, str]] = {
    "ORDER_DEBIT_CONFIRMED": "debit",
    "ORDER_CREDIT_CONFIRMED": "credit",
    "ORDER_COMPENSATION": "reverse",
    "LATE_EFFECT": "late_effect",
    "RETURN_GIVEN_BACK": "return_given_back",
    "RETURN_KEPT": "return_kept",
    "OPERATOR_SETTLEMENT": "settlement",
}
"""What a movement is called outside of the house; any other is an adjustment."""

COLUMNS: Final = (
    "business_date",
    "effective_time",
    "ledger_id",
    "kind",
    "order_id",
    "partner_order_id",
    "return_id",
    "statement",
    "asset",
    "amount",
)
_SQL: Final = (Path(__file__).resolve().parent / "sql" / "operator_statement_lines.sql").read_text(encoding="utf-8")
_FETCHED: Final = 2_000


@dataclass(frozen=True, slots=True)
class Movement:
    """All movements of one kind. `owed_to_us` and `owed_to_you` are sums of either direction."""

    kind: str
    count: int
    owed_to_us: int
    owed_to_you: int


@dataclass(frozen=True, slots=True)
class Part:
    """The statement in one asset. `outstanding` is the closing balance less what was settled since."""

    asset: str
    opening: int
    movements: Sequence[Movement]
    closing: int
    settled_since: int
    outstanding: int


@dataclass(frozen=True, slots=True)
class OperatorStatement:
    """`final`: the date is locked. `over`: it has ended, so that it can be settled."""

    operator: Operator
    environment: str
    business_date: date
    zone: str
    start: datetime
    end: datetime
    final: bool
    over: bool
    parts: Sequence[Part]

    @property
    def reference(self) -> str:
        return settle_operator.statement_reference(operator=self.operator, business_date=self.business_date)


@dataclass(frozen=True, slots=True)
class StatementMovement:
    """One posting between the operator and us."""

    effective_at: datetime
    ledger_id: str
    kind: str
    asset: str
    amount_minor: int
    order_id: str
    partner_order_id: str
    return_id: str
    statement: str


def statement(*, operator: Operator, environment: str, business_date: date, now: datetime) -> OperatorStatement:
    """Return an operator's statement of a date. Raises Malformed for a date that no book has."""
    return statements(operators=[operator], environment=environment, business_date=business_date, now=now)[0]


def statements(
    *, operators: Sequence[Operator], environment: str, business_date: date, now: datetime
) -> list[OperatorStatement]:
    """Return the statements of these operators, in as many questions as of one."""
    days = settle_operator.statement_days(operators=operators, environment=environment, business_date=business_date)
    return [
        OperatorStatement(
            operator=operator,
            environment=environment,
            business_date=business_date,
            zone=day.zone,
            start=day.start,
            end=day.end,
            final=day.final,
            over=now >= day.end,
            parts=[_part(found) for found in _told(day)],
        )
        for operator, day in days
    ]


def movements(found: OperatorStatement) -> Iterator[StatementMovement]:
    """Yield what moved, oldest first, from a cursor that the server keeps: a day's lines are never here all at once."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            _SQL,
            {
                "book": number_of(found.environment),
                "environment": found.environment,
                "operator": found.operator.pk,
                "address": accounts.operator_due(found.operator.slug),
                "start": found.start,
                "end": found.end,
            },
        )
        while rows := cursor.fetchmany(_FETCHED):
            for at, ledger_id, event_type, asset, minor, *ids in rows:
                yield StatementMovement(at, ledger_id, _kind(event_type), asset, int(minor), *ids)


def as_csv(found: OperatorStatement) -> Iterator[str]:
    """Yield the statement's movements as CSV. A text that a spreadsheet would take for a formula is made harmless."""
    yield cells.row(COLUMNS)
    for one in movements(found):
        yield cells.row(
            (
                found.business_date.isoformat(),
                instant(one.effective_at),
                one.ledger_id,
                one.kind,
                one.order_id,
                cells.harmless(one.partner_order_id),
                one.return_id,
                one.statement,
                one.asset,
                assets.text(one.amount_minor, one.asset),
            )
        )


def file_name(found: OperatorStatement) -> str:
    return f"statement-{found.operator.slug}-{found.environment}-{found.business_date.isoformat()}.csv"


def _told(day: AccountDay) -> list[AssetDay]:
    """Leave out assets in which nothing ever stood or moved."""
    return [one for one in day.assets.values() if one.closing or one.within or one.after]


def _part(found: AssetDay) -> Part:
    counts: Counter[str] = Counter()
    debited: Counter[str] = Counter()
    credited: Counter[str] = Counter()
    for one in found.within:
        kind = _kind(one.event_type)
        counts[kind] += one.transactions
        debited[kind] += one.debited
        credited[kind] += one.credited
    owed = settle_operator.owed(found)
    return Part(
        asset=found.asset,
        opening=found.opening,
        movements=[Movement(kind, counts[kind], debited[kind], credited[kind]) for kind in sorted(counts)],
        closing=found.closing,
        settled_since=owed.settled_since,
        outstanding=owed.outstanding,
    )


def _kind(event_type: str) -> str:
    return KINDS.get(event_type, "adjustment")
