"""Which venue executes a pool's trades: an adapter named in settings.VENUES by the pool's kind."""

from functools import cache
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from orders.models import Pool
from orders.venue_port import BuiltInVenue


def venue_of(pool: Pool) -> BuiltInVenue:
    return _venue(pool.kind)


@cache
def _venue(kind: str) -> BuiltInVenue:
    return cast(BuiltInVenue, import_string(settings.VENUES[kind])())
