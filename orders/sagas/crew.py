"""A worker's threads: they are kept busy with whatever is due, so that the slow hold up only themselves.

1 claim as many as there is room for · 2 take the plain buys together, give each of the others to a thread
3 when one ends, gather those that end with it, and claim again: together costs far less than one by one, so that while few
  are due a worker claims ten times a second, and at once what finds it idle
4 while some are slow, look every quarter of a second whether others have become due
"""

import time
from collections.abc import Callable
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
    running: set[Future[None]] = set()
    done = 0
    next_claim = time.monotonic()
    while clock.monotonic() - started < _LONGEST_SHIFT_SECONDS:
        claimed: dict[str, int] = {}
        claims = time.monotonic() >= next_claim
        room = min(2 * settings.SAGA_THREADS - len(running), batch.room)
        if claims and room > 0:
            claimed = claim(room)
            next_claim = time.monotonic() + (_CLAIM_EVERY_SECONDS if 0 < len(claimed) < min(_MANY, room) else 0.0)
        done += len(claimed)
        running |= {_submitted(run, one) for one in [*batch.take(claimed), *batch.turn(_submit)]}
        if claims and not running and not batch.asking and not claimed:
            break
        running = _still(running, batch.asking, at_most=next_claim - time.monotonic())
        while len(running) > settings.SAGA_THREADS:
            running = _still(running, set())
    running |= {_submitted(run, one) for one in batch.close()}
    while running or batch.asking:
        running = _still(running, batch.asking)
        running |= {_submitted(run, one) for one in [*batch.turn(_submit), *batch.close()]}
    return done


def _still(running: set[Future[None]], asking: "set[Future[Answer]]", *, at_most: float = 0.0) -> set[Future[None]]:
    """Wait until something has ended, or a moment; return those that run, and raise what an ended one raised.

    `at_most` seconds, where that is some; with nothing to wait for, those.
    """
    awaited: list[Future[Any]] = [*running, *asking]
    if awaited:
        patience = min(at_most, _LOOK_AGAIN_SECONDS) if at_most > 0 else _LOOK_AGAIN_SECONDS
        ended_first, _ = wait(awaited, timeout=patience, return_when="FIRST_COMPLETED")
        if ended_first & asking:
            wait(asking, timeout=_GATHER_SECONDS)
    elif at_most > 0:
        time.sleep(at_most)
    ended = {future for future in running if future.done()}
    for future in ended:
        future.result()
    return running - ended


def _submitted(run: Callable[[str], None], reference: str) -> Future[None]:
    return _threads().submit(copy_context().run, run, reference)


def _submit(ask: Callable[[], Answer]) -> "Future[Answer]":
    return _askers().submit(copy_context().run, ask)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=settings.SAGA_THREADS, thread_name_prefix="saga")


@cache
def _askers() -> ThreadPoolExecutor:
    """Threads that only ask: what is claimed to be asked has its time running, and waits behind nobody who is slow."""
    return ThreadPoolExecutor(max_workers=settings.SAGA_THREADS, thread_name_prefix="ask")
