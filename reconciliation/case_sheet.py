"""Exception cases as a sheet: what is chosen, how it leaves as CSV, and which of its columns come back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import OuterRef, QuerySet, Subquery

from ledger import assets
from ledger.models import Approval
from reconciliation import aging, cells, exception_approvals
from reconciliation.check_registry import every_check
from reconciliation.models import ExceptionCase

LIVE: Final = "live"
LOOKED_AT: Final = (
    "reference",
    "version",
    "environment",
    "state",
    "type",
    "subject",
    "order_id",
    "business_date",
    "asset",
    "amount",
    "age_days",
    "aging",
    "first_action",
    "ended_as",
    "proposed_by",
    "proposed_reason",
)
"""Columns to read. `version` says which state of the case a person saw."""
FIXED: Final = ("owner", "next_review_on", "resolution", "reason")
"""Columns to fix. `resolution` and `reason` leave empty."""
COLUMNS: Final = (*LOOKED_AT, *FIXED)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which cases: an empty field chooses all. `state` may be "live": neither resolved nor approved."""

    environment: str = ""
    state: str = LIVE
    type: str = ""
    owner: str = ""
    business_date: date | None = None
    review_by: date | None = None


def chosen(choice: Choice) -> QuerySet[Any]:
    """Return the chosen cases with who proposed to approve them, the oldest review date first."""
    found: QuerySet[Any] = ExceptionCase.objects.all()
    if choice.environment:
        found = found.filter(environment=choice.environment)
    if choice.state == LIVE:
        found = found.filter(state__in=[ExceptionCase.State.OPEN, ExceptionCase.State.ASSIGNED])
    elif choice.state:
        found = found.filter(state=choice.state)
    if choice.type:
        found = found.filter(type=choice.type)
    if choice.owner:
        found = found.filter(owner=choice.owner)
    if choice.business_date:
        found = found.filter(business_date=choice.business_date)
    if choice.review_by:
        found = found.filter(next_review_on__lte=choice.review_by)
    proposed = Approval.objects.filter(
        kind=exception_approvals.KIND, subject=OuterRef("reference"), decision=Approval.Decision.PROPOSED
    )
    annotated: QuerySet[Any] = found.annotate(
        proposed_by=Subquery(proposed.values("maker")[:1]), proposed_reason=Subquery(proposed.values("reason")[:1])
    )
    return annotated.order_by("next_review_on", "pk")


def as_csv(found: QuerySet[Any], *, now: datetime) -> Iterator[str]:
    """Yield the sheet line by line."""
    yield cells.row(COLUMNS)
    for case in found.iterator(chunk_size=1000):
        told = as_row(case, now=now)
        yield cells.row([cells.harmless(told[column]) for column in COLUMNS])


def as_row(case: Any, *, now: datetime) -> Mapping[str, str]:
    """Return a case's cells, by column."""
    return {
        "reference": case.reference,
        "version": str(case.version),
        "environment": case.environment,
        "state": case.state,
        "type": case.type,
        "subject": case.subject,
        "order_id": case.order_reference,
        "business_date": case.business_date.isoformat(),
        "asset": case.asset,
        "amount": assets.text(int(case.amount_minor), case.asset) if case.asset else "",
        "age_days": str(aging.days(opened_at=case.created_at, now=now)),
        "aging": aging.bucket(opened_at=case.created_at, now=now),
        "first_action": case.first_action,
        "ended_as": case.resolution,
        "proposed_by": case.proposed_by or "",
        "proposed_reason": case.proposed_reason or "",
        "owner": case.owner,
        "next_review_on": case.next_review_on.isoformat() if case.next_review_on else "",
        "resolution": "",
        "reason": "",
    }


def types() -> list[tuple[str, str]]:
    """Return the names and titles of all types."""
    return [(check.name, check.title) for check in every_check()]
