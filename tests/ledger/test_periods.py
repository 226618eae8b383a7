"""Rule L8: nothing is posted with an effective time inside a locked period; what comes late is moved, not lost."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection

from ledger import periods, verify
from tests.ledger.door import (
    CALL,
    ENVIRONMENT,
    Item,
    arguments,
    balance,
    codes,
    open_book,
    plain,
    release,
    reserve,
    results,
)
from tests.ledger.door import test_book as number_of_test_book
from tests.servers import TestServers
from tests.threads import raise_first, run_threads

pytestmark = pytest.mark.usefixtures("database")

W = "@world"
NOW = datetime(2025, 3, 12, 9, 30, tzinfo=UTC)


def _lock(*dates: date, at: datetime = NOW) -> None:
    with connection.cursor() as cursor:
        for day in dates:
            cursor.execute(
                "SELECT ledger_lock_period(%s::smallint, %s, 'a test', %s)", [number_of_test_book(), day, at]
            )


def _when(key: str) -> tuple[datetime, datetime | None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT effective_at, value_date FROM ledger_transaction WHERE key = %s", [key])
        ((effective, value_date),) = cursor.fetchall()
    return effective, value_date


YESTERDAY = datetime(2025, 3, 11, 23, 59, 59, 999999, tzinfo=UTC)
TODAY, TOMORROW = date(2025, 3, 12), date(2025, 3, 13)

LATE = [
    # locked                              asked                              effective                          value date
    ([], YESTERDAY, YESTERDAY, None),
    ([date(2025, 3, 11)], YESTERDAY, NOW, YESTERDAY),
    ([date(2025, 3, 11)], datetime(2025, 3, 12, tzinfo=UTC), datetime(2025, 3, 12, tzinfo=UTC), None),
    ([date(2025, 3, 11)], datetime(2025, 3, 10, 23, 59, tzinfo=UTC), datetime(2025, 3, 10, 23, 59, tzinfo=UTC), None),
    ([date(2025, 3, 11)], None, NOW, None),
    ([date(2025, 3, 11), TODAY], YESTERDAY, datetime(2025, 3, 13, tzinfo=UTC), YESTERDAY),
    ([TODAY], None, datetime(2025, 3, 13, tzinfo=UTC), NOW),
    ([TODAY, TOMORROW], NOW, datetime(2025, 3, 14, tzinfo=UTC), NOW),
]


@pytest.mark.parametrize("several", [False, True], ids=["by itself", "in a list"])
@pytest.mark.parametrize("locked,asked,effective,value_date", LATE)
def test_late_arrival_goes_to_the_first_open_instant(
    locked: list[date],
    asked: datetime | None,
    effective: datetime,
    value_date: datetime | None,
    several: bool,
) -> None:
    open_book("a")
    _lock(*locked)
    items = [plain("late", W, "a", 1, effective_at=asked)]
    if several:
        items.append(plain("other", W, "a", 1, effective_at=datetime(2024, 1, 1, tzinfo=UTC)))
    assert set(codes(*items, now=NOW)) == {"created"}
    assert _when("late") == (effective, value_date)
    if several:
        assert _when("other") == (datetime(2024, 1, 1, tzinfo=UTC), None)


def test_only_what_asks_for_it_is_refused_when_its_date_is_locked() -> None:
    open_book("a")
    _lock(date(2025, 3, 11))
    direct = plain("k", W, "a", 1, effective_at=YESTERDAY, refuse_locked=True)
    answer = results(direct, plain("other", W, "a", 1, effective_at=YESTERDAY), now=NOW)
    assert [r.code for r in answer] == ["period_locked", "created"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM ledger_key")
        assert cursor.fetchall() == [("other",)]  # a refusal of ours burns no key
    day = date(2025, 3, 11)
    periods.propose_unlock(ENVIRONMENT, day, "the bank's late file", "maker", NOW)
    periods.unlock(ENVIRONMENT, day, "seen", "checker", NOW)
    assert codes(direct, now=NOW) == ["created"]
    assert _when("k") == (YESTERDAY, None)


@pytest.mark.parametrize(
    "zone,instant,day",
    [
        ("Asia/Bangkok", datetime(2025, 3, 11, 16, 59, tzinfo=UTC), date(2025, 3, 11)),
        ("Asia/Bangkok", datetime(2025, 3, 11, 17, 0, tzinfo=UTC), date(2025, 3, 12)),
        ("Pacific/Kiritimati", datetime(2025, 3, 11, 10, 0, tzinfo=UTC), date(2025, 3, 12)),
        ("America/New_York", datetime(2025, 3, 9, 4, 59, tzinfo=UTC), date(2025, 3, 8)),
        ("America/New_York", datetime(2025, 3, 10, 3, 59, tzinfo=UTC), date(2025, 3, 9)),
        ("America/New_York", datetime(2025, 3, 10, 4, 0, tzinfo=UTC), date(2025, 3, 10)),
    ],
)
def test_date_is_that_of_the_books_zone(
    superuser_connection: psycopg.Connection[Any], zone: str, instant: datetime, day: date
) -> None:
    superuser_connection.execute("UPDATE ledger_book SET close_zone = %s", [zone])
    open_book("a")
    _lock(day, at=instant)
    later = instant + timedelta(days=3)
    assert codes(plain("in", W, "a", 1, effective_at=instant), now=later) == ["created"]
    assert _when("in") == (later, instant)
    _lock_nothing_else(day)
    others = [instant - timedelta(days=1), instant + timedelta(days=1)]
    for n, other in enumerate(others):
        codes(plain(f"out{n}", W, "a", 1, effective_at=other), now=later)
        assert _when(f"out{n}") == (other, None)


def test_first_open_instant_is_the_zones_midnight(superuser_connection: psycopg.Connection[Any]) -> None:
    superuser_connection.execute("UPDATE ledger_book SET close_zone = 'Asia/Bangkok'")
    open_book("a")
    now = datetime(2025, 3, 12, 18, tzinfo=UTC)  # already the 13th in Bangkok
    _lock(date(2025, 3, 13), at=now)
    codes(plain("k", W, "a", 1), now=now)
    assert _when("k") == (datetime(2025, 3, 13, 17, tzinfo=UTC), now)


def test_lock_waits_for_a_poster_that_began_before_it(servers: TestServers) -> None:
    open_book("a")
    locked = threading.Event()
    with psycopg.connect(servers.url("holdfast_app")) as poster:
        poster.execute(CALL, _one("early", YESTERDAY))

        def locking() -> bool:
            _lock(date(2025, 3, 11))
            locked.set()
            return True

        def finishing() -> bool:
            with _watching(servers) as watch:
                _wait_until(watch, "locktype = 'advisory' AND NOT granted AND mode = 'ExclusiveLock'")
            assert not locked.is_set()
            poster.commit()
            return True

        raise_first(run_threads(locking, finishing))
    assert _when("early") == (YESTERDAY, None)
    assert codes(plain("late", W, "a", 1, effective_at=YESTERDAY), now=NOW) == ["created"]
    assert _when("late") == (NOW, YESTERDAY)


@pytest.mark.parametrize("count", [1, 2], ids=["by itself", "in a list"])
@pytest.mark.parametrize("commits", [True, False], ids=["locked", "not locked after all"])
def test_poster_waits_for_a_lock_that_began_before_it(servers: TestServers, commits: bool, count: int) -> None:
    open_book("a")
    with psycopg.connect(servers.url("holdfast_app")) as closer:
        closer.execute(
            "SELECT ledger_lock_period(%s::smallint, %s, 'x', %s)", [number_of_test_book(), date(2025, 3, 11), NOW]
        )

        def posting() -> list[str]:
            return codes(*(plain(f"k{n}", W, "a", 1, effective_at=YESTERDAY) for n in range(count)), now=NOW)

        def finishing() -> list[str]:
            with _watching(servers) as watch:
                _wait_until(watch, "locktype = 'advisory' AND NOT granted AND mode = 'ShareLock'")
            closer.commit() if commits else closer.rollback()
            return []

        ends = raise_first(run_threads(posting, finishing))
    assert ends[0] == ["created"] * count
    assert _when("k0") == ((NOW, YESTERDAY) if commits else (YESTERDAY, None))


def test_posters_do_not_wait_for_each_other(servers: TestServers) -> None:
    open_book("a", "b")
    with psycopg.connect(servers.url("holdfast_app")) as other:
        other.execute(CALL, _one("open", YESTERDAY))
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '3s'")
        assert codes(plain("k", W, "b", 1, effective_at=YESTERDAY), now=NOW) == ["created"]
        other.commit()


def test_nothing_slips_in_when_posters_and_a_lock_race() -> None:
    open_book("a")

    def posting(number: int) -> int:
        for n in range(25):
            kind = reserve if n % 2 else plain
            assert codes(kind(f"{number}:{n}", W, "a", 1)) == ["created"]
            if n % 2:
                codes(release(f"{number}:{n}:r", f"{number}:{n}"))
        return 0

    def locking() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT ledger_lock_period(%s::smallint, clock_timestamp()::date, 'x')", [number_of_test_book()]
            )
        return 0

    raise_first(run_threads(lambda: posting(1), lambda: posting(2), locking, lambda: posting(3), timeout=60))
    assert [v.findings for v in verify.verify() if v.check.name == "locked_periods"] == [[]]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE value_date IS NOT NULL), count(*) FROM ledger_transaction t"
            " JOIN ledger_period p ON t.recorded_at > p.locked_at"
        )
        moved, late = cursor.fetchone()
    assert moved == late
    assert balance("a")[1] == 3 * 13


def test_books_have_periods_of_their_own() -> None:
    open_book("a")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_lock_period(id::smallint, %s, 'x') FROM ledger_book WHERE environment = 'live'", [TODAY]
        )
    codes(plain("k", W, "a", 1), now=NOW)
    assert _when("k") == (NOW, None)


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_writing_is_refused_when_statements_would_share_a_snapshot(servers: TestServers, level: str) -> None:
    open_book("a")
    with psycopg.connect(servers.url("holdfast_app")) as other:
        other.execute(f"SET TRANSACTION ISOLATION LEVEL {level}".encode())
        with pytest.raises(psycopg.errors.RaiseException, match="READ COMMITTED"):
            other.execute(CALL, _one("k", NOW))


def _one(key: str, effective_at: datetime) -> list[object]:
    item: Item = plain(key, W, "a", 1, effective_at=effective_at)
    return arguments([item], book=number_of_test_book(), now=NOW)


def _lock_nothing_else(day: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT business_date FROM ledger_period WHERE locked_at IS NOT NULL")
        assert cursor.fetchall() == [(day,)]


@contextmanager
def _watching(servers: TestServers) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(servers.url("postgres"), autocommit=True) as watch:
        yield watch


def _wait_until(watch: psycopg.Connection[Any], condition: str) -> None:
    """Return when some session's lock is as the condition says (pg_locks)."""
    for _ in range(500):
        row = watch.execute(f"SELECT count(*) FROM pg_locks WHERE {condition}".encode()).fetchone()
        if row is not None and row[0] > 0:
            return
        watch.execute("SELECT pg_sleep(0.01)")
    raise AssertionError(f"no lock became {condition}")
