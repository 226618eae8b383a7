"""Drains: each kind of work is rows that are due; one function per kind does them until none is left.

Postgres is the queue of record. Celery calls a drain when its bell rings; the relay process calls it for rows
that are overdue. Both may run at once and on several machines: a drain claims what it does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ledger.controls import clock
from ledger.controls.refusals import Refusal


class UnknownKind(Refusal):
    """There is no such kind of work."""


@dataclass(frozen=True, slots=True)
class Drain:
    """`work()` claims and does a batch and returns how many rows it did; `depth()` counts rows that are due.

    `has_waited(seconds)` tells whether one of them has been due for so long; None where a kind cannot tell.
    `batch` is such that less than it in one go means that nothing else was due when that go began; None where it may be.
    `every_seconds` is how often the clock rings, for a kind that nothing else rings for.
    """

    kind: str
    work: Callable[[], int]
    depth: Callable[[], int]
    has_waited: Callable[[float], bool] | None = None
    batch: int | None = None
    every_seconds: float = 0.0


_drains: dict[str, Drain] = {}

MAXIMUM_BATCHES = 1000


def register(drain: Drain) -> None:
    _drains[drain.kind] = drain


def kinds() -> Iterator[str]:
    yield from _drains


def depth(kind: str) -> int:
    return _named(kind).depth()


def has_waited(kind: str, *, seconds: float) -> bool | None:
    """Tell whether a row of this kind has been due for so long beyond its own interval; None when the kind cannot tell."""
    named = _named(kind)
    return None if named.has_waited is None else named.has_waited(named.every_seconds + seconds)


def drain(kind: str, *, for_seconds: float | None = None) -> int:
    """Do all due rows of a kind, batch by batch; return how many were done.

    With `for_seconds` no batch begins later than that, and none after one that was not full (what became due meanwhile has a
    bell or a clock of its own): whoever calls says what becomes of the rest.
    """
    named = _named(kind)
    started = clock.monotonic()
    done = 0
    for _ in range(MAXIMUM_BATCHES):
        count = named.work()
        done += count
        if count == 0:
            break
        if for_seconds is not None and (
            clock.monotonic() - started >= for_seconds or (named.batch is not None and count < named.batch)
        ):
            break
    return done


def drain_all() -> int:
    """Do all due rows of every kind until nothing is due. For commands and tests."""
    total = 0
    for _ in range(MAXIMUM_BATCHES):
        done = sum(drain(kind) for kind in list(_drains))
        if done == 0:
            break
        total += done
    return total


def _named(kind: str) -> Drain:
    if kind not in _drains:
        raise UnknownKind(f"There is no kind of work named {kind!r}.")
    return _drains[kind]
