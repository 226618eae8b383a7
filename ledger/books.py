"""Which book an environment has."""

from functools import cache

from ledger.environments import Environment
from ledger.models import Book


@cache
def number_of(environment: str) -> int:
    """Return the id of the environment's book. Books are reference rows and never change."""
    return int(Book.objects.values_list("id", flat=True).get(environment=Environment(environment)))


@cache
def environment_of(number: int) -> str:
    """Return the environment whose book this is."""
    return str(Book.objects.values_list("environment", flat=True).get(pk=number))
