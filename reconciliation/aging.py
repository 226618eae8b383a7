"""Aging: how old an exception case is, and in which bucket finance counts it; the same in Python and in SQL."""

from datetime import datetime
from typing import Final

BUCKETS: Final = ((1, "0-1 days"), (7, "2-7 days"), (30, "8-30 days"), (90, "31-90 days"))
OLDEST: Final = "over 90 days"


def days(*, opened_at: datetime, now: datetime) -> int:
    """Return whole days since it was opened."""
    return max((now - opened_at).days, 0)


def bucket(*, opened_at: datetime, now: datetime) -> str:
    age = days(opened_at=opened_at, now=now)
    return next((name for most, name in BUCKETS if age <= most), OLDEST)


def bucket_in_sql(days: str) -> str:
    """Return the SQL expression that names the bucket of a number of days."""
    told = " ".join(f"WHEN {days} <= {most} THEN '{name}'" for most, name in BUCKETS)
    return f"CASE {told} ELSE '{OLDEST}' END"
