"""Rings gathered: the first goes out at once, those a moment after it as one, and nobody waits for a bell."""

import os
import threading
import time
from collections.abc import Callable

import pytest

from ledger.gathered_bell import Gathered


def _until(met: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not met():
        assert time.monotonic() < ends, "nothing rang"
        time.sleep(0.001)


def test_rings_within_a_moment_go_out_as_one_of_each_kind() -> None:
    rung: list[str] = []
    bell = Gathered(rung.append, moment=1.0)
    bell.ring("relay")
    _until(lambda: rung == ["relay"])  # the first did not wait
    for _ in range(50):
        bell.ring("relay")
        bell.ring("sagas")
    assert rung == ["relay"]
    _until(lambda: len(rung) >= 3)
    assert sorted(rung) == ["relay", "relay", "sagas"]


def test_a_ring_after_a_failed_one_still_goes_out() -> None:
    rung: list[str] = []

    def fails_first(kind: str) -> None:
        rung.append(kind)
        if len(rung) == 1:
            raise RuntimeError

    bell = Gathered(fails_first)
    bell.ring("relay")
    _until(lambda: len(rung) == 1)
    bell.ring("relay")
    _until(lambda: len(rung) == 2)


def test_whoever_rings_does_not_wait_for_the_bell() -> None:
    hangs = threading.Event()

    def hang(kind: str) -> None:
        hangs.wait(10)

    bell = Gathered(hang)
    began = time.monotonic()
    for _ in range(100):
        bell.ring("relay")
    assert time.monotonic() - began < 5
    hangs.set()


def test_what_is_gathered_is_rung_when_the_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    at_exit: list[Callable[[], None]] = []
    monkeypatch.setattr("atexit.register", at_exit.append)
    monkeypatch.setattr("threading.Thread", lambda **_: _Never())
    rung: list[str] = []
    Gathered(rung.append).ring("relay")
    assert rung == []
    (flush,) = at_exit
    flush()
    assert rung == ["relay"]


def test_a_forked_process_rings_by_a_thread_of_its_own() -> None:
    """The thread does not come along into a fork, as a worker's pool processes are made."""
    reader, writer = os.pipe()

    def tell(kind: str) -> None:
        os.write(writer, kind.encode() + b" ")

    bell = Gathered(tell)
    bell.ring("before")
    assert os.read(reader, 100) == b"before "
    child = os.fork()
    if not child:
        bell.ring("after")
        time.sleep(5)
        os._exit(0)
    try:
        os.set_blocking(reader, False)
        got = b""

        def arrived() -> bool:
            nonlocal got
            try:
                got += os.read(reader, 100)
            except BlockingIOError:
                return False
            return bool(got)

        _until(arrived)
        assert got == b"after "
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


class _Never:
    """A thread that does not get to run."""

    def start(self) -> None:
        return
