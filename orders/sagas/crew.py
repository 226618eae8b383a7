"""A worker's threads: they are kept busy with whatever is due, so that the slow hold up only themselves.

1 claim as many as there is room for · 2 take the plain buys together, give each of the others to a thread
3 when one ends, gather those that end with it, and claim again: together costs far less than one by one, so that while few
  are due a worker claims ten times a second, and at once what finds it idle
4 while some are slow, look every quarter of a second whether others have become due
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from typing import Any, Final

from django.conf import settings

from ledger.controls import clock
from orders.sagas.batch import Batch
from wallets.first_asks import Answer

_LOOK_AGAIN_SECONDS: Final = 0.25
_LONGEST_SHIFT_SECONDS: Final = 20.0
_GATHER_SECONDS: Final = 0.02
_CLAIM_EVERY_SECONDS: Final = 0.1
_MANY: Final = 16
"""So many claimed at once are a batch worth its transactions: the next is claimed as soon as there is room."""


def keep_busy(claim: Callable[[int], dict[str, int]], run: Callable[[str], None], batch: Batch) -> int:
    """Do what `claim(most)` returns until nothing is due and all have ended; return how many were done.

    The plain buys among it go together, in `batch`; the others run by themselves, each in a thread. After a while it claims
    no more and returns when those that run have ended: whoever drains says what comes next.
    """
    started = clock.monotonic()
    running = _Running()
    done = 0
    next_claim = time.monotonic()
    while not running.failures and clock.monotonic() - started < _LONGEST_SHIFT_SECONDS:
        claimed: dict[str, int] = {}
        claims = time.monotonic() >= next_claim
        room = min(2 * settings.SAGA_THREADS - len(running), batch.room)
        if claims and room > 0:
            claimed = claim(room)
            next_claim = time.monotonic() + (_CLAIM_EVERY_SECONDS if 0 < len(claimed) < min(_MANY, room) else 0.0)
        done += len(claimed)
        running.begin(run, [*batch.take(claimed), *batch.turn(_submit)])
        if claims and not running and not batch.asking and not claimed:
            break
        running.until_one_ends(batch.asking, at_most=next_claim - time.monotonic())
        while len(running) > settings.SAGA_THREADS:
            running.until_one_ends(batch.asking)
            running.begin(run, batch.turn(_submit))
    running.begin(run, batch.close())
    while running or batch.asking:
        running.until_one_ends(batch.asking)
        running.begin(run, [*batch.turn(_submit), *batch.close()])
    if running.failures:
        raise running.failures[0]
    return done


class _Running:
    """What runs by itself, each in a thread. What one raises is kept: it ends the shift, and costs no other its answer."""

    def __init__(self) -> None:
        self._futures: set[Future[None]] = set()
        self.failures: list[BaseException] = []

    def __len__(self) -> int:
        return len(self._futures)

    def begin(self, run: Callable[[str], None], references: Iterable[str]) -> None:
        for one in references:
            self._futures.add(_threads().submit(copy_context().run, run, one))

    def until_one_ends(self, asking: "set[Future[Answer]]", *, at_most: float = 0.0) -> None:
        """Wait until something has ended, or a moment: `at_most` seconds, where that is some; with nothing awaited, those."""
        awaited: list[Future[Any]] = [*self._futures, *asking]
        if awaited:
            patience = min(at_most, _LOOK_AGAIN_SECONDS) if at_most > 0 else _LOOK_AGAIN_SECONDS
            ended_first, _ = wait(awaited, timeout=patience, return_when="FIRST_COMPLETED")
            if ended_first & asking:
                wait(asking, timeout=_GATHER_SECONDS)
        elif at_most > 0:
            time.sleep(at_most)
        ended = {future for future in self._futures if future.done()}
        self._futures -= ended
        self.failures += [failure for future in ended if (failure := future.exception()) is not None]


def _submit(ask: Callable[[], Answer]) -> "Future[Answer]":
    return _askers().submit(copy_context().run, ask)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=settings.SAGA_THREADS, thread_name_prefix="saga")


@cache
def _askers() -> ThreadPoolExecutor:
    """Threads that only ask: what is claimed to be asked has its time running, and waits behind nobody who is slow."""
    return ThreadPoolExecutor(max_workers=settings.SAGA_THREADS, thread_name_prefix="ask")
