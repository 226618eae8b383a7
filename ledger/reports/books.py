"""The reports: balances, trial balance, assets against liabilities, balances by day. Amounts are in minor units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import connection

from ledger.reports.scopes import Scope, Value, midnight, query, scope_of, zone_of

_MOST_DAYS: Final = 366
PARTS: Final = ("covers", "owed", "in_flight", "own")


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One account. `balance` is posted, on its normal side."""

    address: str
    asset: str
    account_class: str
    gl_code: str
    normal_side: str
    workflow_view: str
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int

    @property
    def balance(self) -> int:
        net = self.credits_posted - self.debits_posted
        return net if self.normal_side == "credit" else -net


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One GL code and asset; the balance stands on one side, the other is 0."""

    gl_code: str
    asset: str
    account_class: str
    normal_side: str
    accounts: int
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int

    @property
    def debit_balance(self) -> int:
        return max(self.debits_posted - self.credits_posted, 0)

    @property
    def credit_balance(self) -> int:
        return max(self.credits_posted - self.debits_posted, 0)


@dataclass(frozen=True, slots=True)
class TrialTotal:
    """One asset's columns added up."""

    asset: str
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    debit_balance: int
    credit_balance: int

    @property
    def zero_sum(self) -> bool:
        """Rule L1: what is debited is credited."""
        return (
            self.debits_posted == self.credits_posted
            and self.debits_pending == self.credits_pending
            and self.debit_balance == self.credit_balance
        )


@dataclass(frozen=True, slots=True)
class TrialBalance:
    lines: Sequence[TrialLine]
    totals: Sequence[TrialTotal]

    @property
    def zero_sum(self) -> bool:
        return all(total.zero_sum for total in self.totals)


@dataclass(frozen=True, slots=True)
class AlmLine:
    """One class and workflow view. `amount` is posted, on the side of its `part`; `pending` likewise."""

    part: str
    account_class: str
    workflow_view: str
    accounts: int
    amount: int
    pending: int


@dataclass(frozen=True, slots=True)
class AlmAsset:
    """One asset: what covers, what is owed, what is in flight, and what is left of our own."""

    asset: str
    lines: Sequence[AlmLine]

    def of(self, part: str) -> int:
        """Return the total of a part: covers, owed, in_flight or own."""
        return sum(line.amount for line in self.lines if line.part == part)

    @property
    def surplus(self) -> int:
        """What covers less what is owed and in flight; negative is a shortfall."""
        return self.of("covers") - self.of("owed") - self.of("in_flight")

    @property
    def zero_sum(self) -> bool:
        """What is left is what is our own: the same from the other side of the books."""
        return self.surplus == self.of("own")


@dataclass(frozen=True, slots=True)
class Day:
    """An amount at the end of a date: a balance as credits less debits, or what was in flight."""

    asset: str
    day: date
    amount: int


def balances(
    scope: Scope,
    *,
    asset: str = "",
    gl_code: str = "",
    account_class: str = "",
    view: str = "",
    after: tuple[str, str] = ("", ""),
    limit: int = 100,
) -> tuple[list[AccountLine], tuple[str, str] | None]:
    """Return a page of accounts, and the place of the next."""
    given = balances_parameters(
        asset=asset, gl_code=gl_code, account_class=account_class, view=view, after=after, limit=limit + 1
    )
    lines = [
        AccountLine(*row[:6], *map(int, row[6:10]))  # type: ignore[arg-type]  # a row
        for row in _rows("balances", scope, given)
    ]
    if len(lines) <= limit:
        return lines, None
    return lines[:limit], (lines[limit - 1].address, lines[limit - 1].asset)


def balances_parameters(
    *,
    asset: str,
    gl_code: str,
    account_class: str = "",
    view: str,
    after: tuple[str, str] = ("", ""),
    limit: int | None = None,
) -> dict[str, Value]:
    return {
        "asset": asset,
        "gl_code": gl_code,
        "account_class": account_class,
        "view": view,
        "address": after[0],
        "after_asset": after[1],
        "limit": limit,
    }


def trial_balance(scope: Scope, *, asset: str = "") -> TrialBalance:
    """Return every GL code and asset, with totals per asset."""
    lines = [
        TrialLine(*row[:4], *map(int, row[4:9]))  # type: ignore[arg-type]  # a row
        for row in _rows("trial_balance", scope, {"asset": asset})
    ]
    totals = [
        TrialTotal(name, *(sum(getattr(line, column) for line in lines if line.asset == name) for column in _SUMMED))
        for name in sorted({line.asset for line in lines})
    ]
    return TrialBalance(lines, totals)


def alm(scope: Scope, *, asset: str = "") -> list[AlmAsset]:
    """Return each asset with what covers it, what is owed, what is in flight, and what is our own."""
    found: dict[str, list[AlmLine]] = {}
    for name, part, account_class, view, accounts, amount, pending, _ in _rows("alm", scope, {"asset": asset}):
        line = AlmLine(
            str(part), str(account_class), str(view), *(int(str(one)) for one in (accounts, amount, pending))
        )
        found.setdefault(str(name), []).append(line)
    return [AlmAsset(name, lines) for name, lines in found.items()]


def by_day(scope: Scope, *, now: datetime, address: str, asset: str, days: int = 30) -> list[Day]:
    """Return the balance of an account at the end of each date of a period, or of the last dates to a scope's end."""
    return _by_day("by_day", scope, now, days, {"address": address, "asset": asset})


def in_flight_by_day(scope: Scope, *, now: datetime, asset: str = "", days: int = 30) -> list[Day]:
    """Return the money in flight at the end of each of these dates: what is in transit, and what holds reserve."""
    return _by_day("in_flight_by_day", scope, now, days, {"asset": asset})


def _by_day(name: str, scope: Scope, now: datetime, days: int, given: Mapping[str, Value]) -> list[Day]:
    zone = zone_of(scope.environment)
    last = scope.last or now.astimezone(ZoneInfo(zone)).date()
    first = last - timedelta(days=days - 1)
    if scope.first is not None:  # what stood at the end of its dates, also what counts before it
        first = max(scope.first, last - timedelta(days=_MOST_DAYS - 1))
        scope = scope_of(environment=scope.environment, on=last)
    dates: dict[str, Value] = {"zone": zone, "first": first, "last": last, "start": midnight(first, zone)}
    with connection.cursor() as cursor:
        cursor.execute(
            statement(name, scope).replace("{counts}", scope.counts or "true"), {**scope.parameters, **given, **dates}
        )
        rows = cursor.fetchall()
    return [Day(str(row[0]), row[1], int(row[2])) for row in rows]


_SUMMED: Final = (
    "debits_posted",
    "credits_posted",
    "debits_pending",
    "credits_pending",
    "debit_balance",
    "credit_balance",
)


def _rows(name: str, scope: Scope, given: Mapping[str, Value]) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement(name, scope), {**scope.parameters, **given})
        rows: list[tuple[object, ...]] = cursor.fetchall()
    return rows


def statement(name: str, scope: Scope) -> str:
    """Return a report's statement over a scope."""
    return query(name).replace("{scope}", scope.statement)
