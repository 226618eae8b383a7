"""Which book an environment has."""

from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

from django.db.models import DateField, DateTimeField, F, Func, OuterRef, Subquery, Value
from django.db.models.functions import Cast

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


def business_date_of_row(*, instant: datetime) -> Subquery:
    """Return the same as an expression, for rows that have an environment: each by its own book."""
    local = Func(F("close_zone"), Value(instant, DateTimeField()), function="timezone", output_field=DateTimeField())
    return Subquery(Book.objects.filter(environment=OuterRef("environment")).values(date=Cast(local, DateField())))
