"""The close checklist: the seed's five points, evaluated by the machine, each with its figures and what blocks it.

Every exception type stands against one point (`Check.point`). An exception blocks until it has healed or a second person has
approved it; the fifth point asks of each, approved or not, that somebody owns it and will look at it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reconciliation.check_registry import check_named
from reconciliation.models import CloseFinding, CloseRun, ExceptionCase

TEXTS: Final = {
    1: "Every terminal trade has a ledger entry or approved exception.",
    2: "Every ledger entry joins to a trade, quote, and partner order.",
    3: "Amounts are compared as exact decimal strings/minor units.",
    4: "Webhook gaps are reconciled with trusted status reads.",
    5: "Exceptions have owners and next review dates.",
}
"""0Pools' close checklist, word for word."""

_LIVE = (ExceptionCase.State.OPEN, ExceptionCase.State.ASSIGNED)


@dataclass(frozen=True, slots=True)
class Point:
    """One point. `cases` are the exception cases that block it; `figures` says what was counted."""

    number: int
    text: str
    figures: str
    cases: Sequence[ExceptionCase]
    other: Sequence[str] = ()

    @property
    def passes(self) -> bool:
        return not self.cases and not self.other


@dataclass(frozen=True, slots=True)
class Checklist:
    points: Sequence[Point]

    @property
    def complete(self) -> bool:
        return all(point.passes for point in self.points)

    @property
    def blocking(self) -> int:
        return sum(len(point.cases) + len(point.other) for point in self.points)


def checklist_of(close: CloseRun) -> Checklist:
    """Evaluate the five points by the close's last run and by what its cases are now."""
    cases = cases_of(close)
    live = [case for case in cases if case.state in _LIVE]
    against: dict[int, list[ExceptionCase]] = {number: [] for number in TEXTS}
    for case in live:
        check = check_named(case.type)
        against[check.point if check is not None else 3].append(case)
    ownerless = [
        case
        for case in cases
        if case.state != ExceptionCase.State.RESOLVED and (not case.owner or case.next_review_on is None)
    ]
    figures = _figures(close, cases)
    points = [
        Point(number, text, figures[number], ownerless if number == 5 else against[number], _other(close, number))
        for number, text in TEXTS.items()
    ]
    return Checklist(points)


def cases_of(close: CloseRun) -> list[ExceptionCase]:
    """Return the cases that the last run found, and those of its date that are not resolved, as they are now."""
    found = CloseFinding.objects.filter(close_reference=close.reference, found=True).values("case_reference")
    theirs = ExceptionCase.objects.filter(environment=close.environment)
    of_the_date = theirs.filter(business_date=close.business_date).exclude(state=ExceptionCase.State.RESOLVED)
    return list((theirs.filter(reference__in=found) | of_the_date).order_by("type", "pk"))


def _other(close: CloseRun, number: int) -> list[str]:
    """Return what blocks a point that no case names."""
    if number != 3:
        return []
    sums: Mapping[str, str] = close.control_totals.get("zero_sum", {})
    unbalanced = [f"{asset} does not sum to zero: {net}" for asset, net in sorted(sums.items()) if _is_not_zero(net)]
    cut_off = [f"{title}: cut off, there were more than a run looks at" for title in cut_off_of(close)]
    return [*unbalanced, *cut_off]


def cut_off_of(close: CloseRun) -> list[str]:
    """Return the titles of the checks whose breaks, or suspects, were more than the last run looked at."""
    named: Sequence[str] = close.counts.get("cut_off", [])
    checks = [(name, check_named(name)) for name in named]
    return [check.title if check is not None else name for name, check in checks]


def _is_not_zero(amount: str) -> bool:
    """Tell whether a decimal string is another number than zero."""
    return bool(amount.strip("-0."))


def _figures(close: CloseRun, cases: Sequence[ExceptionCase]) -> dict[int, str]:
    records: Mapping[str, int] = close.counts.get("records", {})
    totals: Mapping[str, Mapping[str, Mapping[str, str]]] = close.control_totals.get("files", {})
    statuses = totals.get("trades.csv", {}).get("current_status", {})
    terminal = sum(int(number) for status, number in statuses.items() if status != "reserved")
    approved = sum(case.state == ExceptionCase.State.APPROVED for case in cases)
    assets = len(close.control_totals.get("zero_sum", {}))
    reads: Mapping[str, int] = close.counts.get("status_reads", {})
    flying = close.counts.get("in_flight", 0)
    live = sum(case.state in _LIVE for case in cases)
    return {
        1: f"{terminal} terminal trades, {approved} approved exceptions, {flying} payouts in flight",
        2: f"{records.get('ledger', 0)} ledger entries, joined by id",
        3: f"{assets} assets sum to zero, exactly" if assets else "no postings",
        4: f"{records.get('events', 0)} events, {reads.get('asked', 0)} status reads, {reads.get('resolved', 0)} of them told",
        5: f"{live} open, {approved} approved",
    }
