"""When a review case is due (its SLA, by its reason), when it is to be looked at next, and when it is overdue."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Q

from ledger.books import business_date, business_date_of_row
from ledger.controls.refusals import Refusal
from orders.models import ReviewCase

ANY_REASON: Final = "*"
LONGEST_AHEAD: Final = timedelta(days=366)


class BadReviewDate(Refusal):
    """The next review is today or later, and within a year."""

    code = "bad_review_date"


def due_at(reason: str, *, now: datetime) -> datetime:
    """Return when a case of this reason, opened now, has to be resolved."""
    hours: Mapping[str, int] = settings.REVIEW_SLA_HOURS
    return now + timedelta(hours=hours.get(reason, hours[ANY_REASON]))


def next_review(case: ReviewCase, *, wanted: date | None, now: datetime) -> date:
    """Return the date of the next review: the one that a person wants, else the day it is due, or tomorrow if that is past.

    Raises BadReviewDate.
    """
    today = business_date(environment=case.environment, instant=now)
    if wanted is None:
        due = business_date(environment=case.environment, instant=case.due_at) if case.due_at else today
        return max(due, today + timedelta(days=1))
    if not today <= wanted <= today + LONGEST_AHEAD:
        raise BadReviewDate(errors={"next_review_on": [f"This is no date from {today} on, within a year."]})
    return wanted


def overdue(*, now: datetime) -> Q:
    """Return the condition of cases that nobody has resolved in time, or looked at on their day."""
    late = Q(due_at__lt=now) | Q(next_review_on__lt=business_date_of_row(instant=now))
    return late & ~Q(state=ReviewCase.State.RESOLVED)


def is_overdue(case: ReviewCase, *, now: datetime, today: date) -> bool:
    """Tell the same of one case; `today` is its book's business date."""
    if case.state == ReviewCase.State.RESOLVED:
        return False
    return (case.due_at is not None and case.due_at < now) or (
        case.next_review_on is not None and case.next_review_on < today
    )
