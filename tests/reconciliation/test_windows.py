"""A business date's window in the book's zone, days of clock changes included; the database agrees on every instant."""

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from reconciliation.windows import business_date_of, next_business_day, window_of

HOUR = timedelta(hours=1)


def _zone(connection: psycopg.Connection, zone: str) -> None:
    connection.execute("UPDATE ledger_book SET close_zone = %s", [zone])


@pytest.mark.parametrize(
    ("zone", "day", "starts", "hours"),
    [
        ("UTC", "2026-03-29", "2026-03-29T00:00", 24),
        ("Europe/Berlin", "2026-03-28", "2026-03-27T23:00", 24),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", 23),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00", 25),
        ("Asia/Bangkok", "2026-03-29", "2026-03-28T17:00", 24),
        ("America/Havana", "2026-03-08", "2026-03-08T05:00", 23),  # midnight is skipped
        ("America/Havana", "2026-11-01", "2026-11-01T04:00", 25),  # midnight comes twice
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00", 23),  # midnight is skipped
    ],
)
def test_a_window_runs_from_midnight_to_midnight(
    superuser_connection: psycopg.Connection, zone: str, day: str, starts: str, hours: int
) -> None:
    _zone(superuser_connection, zone)
    business_date = date.fromisoformat(day)
    window = window_of(environment="test", business_date=business_date)
    assert window.start == datetime.fromisoformat(starts).replace(tzinfo=UTC)
    assert window.end - window.start == hours * HOUR
    inside = [window.start, window.start + HOUR, window.end - timedelta(microseconds=1)]
    outside = [window.start - timedelta(microseconds=1), window.end]
    for instant in (*inside, *outside):
        said = superuser_connection.execute("SELECT (%s AT TIME ZONE %s)::date", [instant, zone]).fetchone()
        assert said == (business_date_of(environment="test", instant=instant),)
        assert (said == (business_date,)) is (instant in inside)


def test_a_date_can_be_signed_after_its_grace(superuser_connection: psycopg.Connection) -> None:
    window = window_of(environment="test", business_date=date(2026, 3, 14))
    assert window.signable_from == window.end + HOUR


@pytest.mark.parametrize(
    ("day", "following"),
    [("2026-03-12", "2026-03-13"), ("2026-03-13", "2026-03-16"), ("2026-03-14", "2026-03-16")],
)
def test_the_next_business_day_is_no_weekend(day: str, following: str) -> None:
    assert next_business_day(date.fromisoformat(day)) == date.fromisoformat(following)
