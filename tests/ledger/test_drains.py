"""Drains: batch after batch until nothing is due, and how long a kind may wait before somebody else drains it."""

import time
from collections.abc import Callable

import pytest

from ledger import fold, seals
from ledger.controls import drains
from ledger.controls.drains import Drain
from ledger.schedule import _EVERY_SECONDS
from tests.ledger.door import codes, open_book, plain

W = "@world"


def _counted(counts: list[int]) -> Callable[[], int]:
    return lambda: counts.pop(0)


def test_a_drain_that_has_time_ends_after_a_batch_that_was_not_full(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [5, 5, 4, 3, 0]
    monkeypatch.setitem(drains._drains, "some", Drain("some", _counted(counts), lambda: 0, batch=5))
    assert drains.drain("some", for_seconds=60) == 14
    assert counts == [3, 0], "what came meanwhile has a bell of its own"
    assert drains.drain("some") == 3
    assert counts == []


def test_a_kind_that_cannot_tell_is_drained_until_nothing_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [1, 1, 0]
    monkeypatch.setitem(drains._drains, "some", Drain("some", _counted(counts), lambda: 0))
    assert drains.drain("some", for_seconds=60) == 2
    assert counts == []


def test_what_the_clock_alone_rings_for_is_overdue_after_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Drain("some", lambda: 0, lambda: 0, has_waited=lambda seconds: seconds <= 12, every_seconds=10)
    monkeypatch.setitem(drains._drains, "some", told)
    assert drains.has_waited("some", seconds=2)
    assert not drains.has_waited("some", seconds=2.1)


@pytest.mark.parametrize("kind", ["fold", "seals"])
def test_the_interval_is_the_schedules(kind: str) -> None:
    assert drains._drains[kind].every_seconds == _EVERY_SECONDS[kind]


@pytest.mark.usefixtures("database")
def test_a_transaction_waits_for_the_sealer_from_its_own_time_on() -> None:
    open_book("a")
    assert not seals.has_waited(0)
    codes(plain("1", W, "a", 1))
    assert not seals.has_waited(60)
    time.sleep(0.05)
    assert seals.has_waited(0.02)
    drains.drain("seals")
    assert not seals.has_waited(0.02)


@pytest.mark.usefixtures("database")
def test_a_delta_has_waited_when_the_oldest_is_seen_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = [1000.0]
    monkeypatch.setattr("ledger.fold.clock.monotonic", lambda: hands[0])
    open_book("a")
    eldest = fold.Eldest()
    assert not eldest.has_waited(7)
    codes(plain("1", W, "a", 1))
    assert not eldest.has_waited(7), "nobody knows since when it is there"
    hands[0] += 6
    codes(plain("2", W, "a", 1))
    assert not eldest.has_waited(7)
    hands[0] += 1
    assert eldest.has_waited(7)
    fold.fold()
    codes(plain("3", W, "a", 1))
    assert not eldest.has_waited(7), "the old ones were folded, however many are open"
    hands[0] += 7
    assert eldest.has_waited(7)
