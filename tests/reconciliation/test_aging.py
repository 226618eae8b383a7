"""An exception case stands in the same aging bucket on the page and in the file."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from reconciliation import aging

pytestmark = pytest.mark.usefixtures("database")

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


def test_buckets_are_the_same_in_python_and_in_sql() -> None:
    edges = sorted({0, 1000, *(days for most, _ in aging.BUCKETS for days in (most, most + 1))})
    names = [aging.bucket(opened_at=NOW - timedelta(days=days), now=NOW) for days in edges]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {aging.bucket_in_sql('d')} FROM unnest(%s) WITH ORDINALITY AS u (d, n) ORDER BY n", [edges]
        )
        assert [row[0] for row in cursor.fetchall()] == names
    assert names == [
        *("0-1 days", "0-1 days", "2-7 days", "2-7 days", "8-30 days", "8-30 days", "31-90 days", "31-90 days"),
        *("over 90 days", "over 90 days"),
    ]
