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
    """

    kind: str
    work: Callable[[], int]
    depth: Callable[[], int]
    has_waited: Callable[[float], bool] | None = None


_drains: dict[str, Drain] = {}

MAXIMUM_BATCHES = 1000


def register(drain: Drain) -> None:
    _drains[drain.kind] = drain


def kinds() -> Iterator[str]:
    yield from _drains


def depth(kind: str) -> int:
    return _named(kind).depth()


def has_waited(kind: str, *, seconds: float) -> bool | None:
    """Tell whether a row of this kind has been due for so long; None when the kind cannot tell."""
    tells = _named(kind).has_waited
    return None if tells is None else tells(seconds)


def drain(kind: str, *, for_seconds: float | None = None) -> int:
    """Do all due rows of a kind, batch by batch; return how many were done.

    With `for_seconds` no batch begins later than that: whoever calls says what becomes of the rest.
    """
    work = _named(kind).work
    started = clock.monotonic()
    done = 0
    for _ in range(MAXIMUM_BATCHES):
        count = work()
        if count == 0 or (for_seconds is not None and clock.monotonic() - started >= for_seconds):
            return done + count
        done += count
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
