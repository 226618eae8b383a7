"""Run callables at once, each with a database connection of its own."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


class StillRunning(AssertionError):
    """A thread did not end in time."""


def run_threads(*work: Callable[[], T], timeout: float = 30.0) -> Sequence[T | BaseException]:
    """Start all callables from one line, wait for all, and return each one's result or what it raised.

    Results come in the order of the callables. Raises StillRunning when one takes longer than ``timeout``
    seconds.
    """
    line = threading.Barrier(len(work))
    ends: list[T | BaseException | None] = [None] * len(work)

    def run(place: int, callable_: Callable[[], T]) -> None:
        try:
            line.wait()
            ends[place] = callable_()
        except BaseException as error:
            ends[place] = error
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=run, args=(place, callable_), daemon=True) for place, callable_ in enumerate(work)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
        if thread.is_alive():
            raise StillRunning(f"{thread.name} still runs after {timeout} s")
    return ends  # type: ignore[return-value]  # each place was filled by its thread


def raise_first(ends: Sequence[T | BaseException]) -> list[T]:
    """Return the results; raise the first exception among them."""
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    return [end for end in ends if not isinstance(end, BaseException)]
