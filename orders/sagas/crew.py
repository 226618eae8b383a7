"""A worker's threads: they are kept busy with whatever is due, so that the slow hold up only themselves.

1 claim as many as there is room for · 2 give each to a thread · 3 when one ends, claim again
4 while some are slow, look every quarter of a second whether others have become due
"""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from typing import Final

from django.conf import settings

from ledger.controls import clock

_LOOK_AGAIN_SECONDS: Final = 0.25
_LONGEST_SHIFT_SECONDS: Final = 20.0


def keep_busy(claim: Callable[[int], list[str]], run: Callable[[str], None]) -> int:
    """Run what `claim(most)` returns until nothing is due and all have ended; return how many were run.

    After a while it claims no more and returns when those that run have ended: whoever drains says what comes next.
    """
    started = clock.monotonic()
    room = 2 * settings.SAGA_THREADS
    running: set[Future[None]] = set()
    done = 0
    while clock.monotonic() - started < _LONGEST_SHIFT_SECONDS:
        claimed = claim(room - len(running))
        done += len(claimed)
        running |= {_threads().submit(copy_context().run, run, one) for one in claimed}
        if not running:
            return done
        running = _still(running, everything=False)
        while len(running) > settings.SAGA_THREADS:
            running = _still(running, everything=False)
    _still(running, everything=True)
    return done


def _still(running: set[Future[None]], *, everything: bool) -> set[Future[None]]:
    """Wait until one has ended (or a moment, or all); raise what an ended one raised; return those that run."""
    timeout = None if everything else _LOOK_AGAIN_SECONDS
    ended, rest = wait(running, timeout=timeout, return_when="ALL_COMPLETED" if everything else FIRST_COMPLETED)
    for future in ended:
        future.result()
    return rest


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=settings.SAGA_THREADS, thread_name_prefix="saga")
