"""A business date's window: from one midnight of the book's close zone to the next."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from ledger import books
from ledger.models import Book

Parameters = dict[str, str | int | datetime]
"""What a query of a close takes, by name."""


@dataclass(frozen=True, slots=True)
class Window:
    """The instants `start` <= x < `end` of a date of an environment's book. A clock change makes 23 or 25 hours."""

    environment: str
    book_id: int
    zone: str
    business_date: date
    start: datetime
    end: datetime

    @property
    def signable_from(self) -> datetime:
        return signable_from(self.end)

    def parameters(self) -> Parameters:
        """Return what every query of a close takes."""
        return {
            "environment": self.environment,
            "book": self.book_id,
            "from": self.start,
            "to": self.end,
        }


def window_of(*, environment: str, business_date: date) -> Window:
    book = Book.objects.get(environment=environment)
    return Window(
        environment=environment,
        book_id=book.pk,
        zone=book.close_zone,
        business_date=business_date,
        start=_midnight(business_date, book.close_zone),
        end=_midnight(business_date + timedelta(days=1), book.close_zone),
    )


def signable_from(end: datetime) -> datetime:
    """Return from when on a date that ends then can be signed: it is over, plus a grace for what comes late."""
    return end + timedelta(seconds=settings.CLOSE_GRACE)


def business_date_of(*, environment: str, instant: datetime) -> date:
    """Return the date of the book to which an instant belongs."""
    return books.business_date(environment=environment, instant=instant)


def next_business_day(day: date) -> date:
    """Return the next day that is no Saturday or Sunday."""
    day += timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day


def _midnight(day: date, zone: str) -> datetime:
    """Return a date's first instant: the first of two midnights, or the end of the gap that midnight fell into."""
    return datetime.combine(day, time.min, tzinfo=ZoneInfo(zone)).astimezone(UTC)
