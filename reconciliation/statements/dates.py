"""Which business date's close a statement line belongs to, and whether that date still takes changes."""

from datetime import date, timedelta
from typing import Final

from django.db import connection

from ledger.books import number_of
from ledger.controls.refusals import Refusal

_MOST_LOCKED_DATES: Final = 400


class NoOpenDate(Refusal):
    """Every date from this line's on is locked."""

    code = "no_open_date"
    status = 409


def open_date(environment: str, booked_on: date, dates: dict[date, date]) -> date:
    """Return the line's own date, or the first open one after it, and hold that open. `dates` remembers."""
    if booked_on not in dates:
        day = booked_on
        for _ in range(_MOST_LOCKED_DATES):
            if not is_locked(environment, day):
                break
            day += timedelta(days=1)
        else:
            raise NoOpenDate(f"Every date from {booked_on.isoformat()} on is locked.")
        dates[booked_on] = day
    return dates[booked_on]


def is_locked(environment: str, day: date) -> bool:
    """Say whether a date is locked, and when it is not, hold it so until the caller's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_share_period(%s::smallint, %s)", [number_of(environment), day])
        row = cursor.fetchone()
    assert row is not None
    return bool(row[0])
