"""Which book an environment has."""

from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

from ledger.environments import Environment
from ledger.models import Book


@cache
def number_of(environment: str) -> int:
    """Return the id of the environment's book. Books are reference rows and never change."""
    return int(Book.objects.values_list("id", flat=True).get(environment=Environment(environment)))


@cache
def environment_of(number: int) -> str:
    """Return the environment whose book has this id."""
    return Book.objects.get(id=number).environment


def business_date(*, environment: str, instant: datetime) -> date:
    """Return the date of the book, by its close zone, to which an instant belongs."""
    zone = Book.objects.values_list("close_zone", flat=True).get(environment=environment)
    return instant.astimezone(ZoneInfo(zone)).date()
