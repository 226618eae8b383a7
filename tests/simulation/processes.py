"""The processes of a world: threads that hand one baton on, so that exactly one runs, each with a connection of its own.

1 a process takes turns: in each it does what its actor does once (a request, a pass of a worker, a person's decision)
2 it hands the baton on only where the real one could be interrupted and holds no lock: between transactions, before the
  first lock of one, and on each side of a call to the outside; there it may also sleep
3 it may die at each commit, on each side of it, and on each side of a call: the server rolls back what it had open, none of
  its handlers reaches the database any more, and it starts again a while later. (Its session is used again: making a new
  one took longer than all that a process does in it, and decision 0080 says what is lost by that.)
4 after each commit the rules are checked, before anybody else moves

Row locks never make the baton's holder wait: whoever is parked holds none.
"""

import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import psycopg
from django.db import connection
from psycopg.pq import TransactionStatus

from ledger.controls.refusals import Refusal
from tests.simulation import shifts
from tests.simulation.outside import belongs_to

if TYPE_CHECKING:
    from tests.simulation.world import World

_OFTEN_DIES_AT_CALLS: Final = 4
_OFTEN_SLEEPS_AT_CALLS: Final = 3
_OFTEN_DIES_IN_A_BATCH: Final = {shifts.ASKED: 1, **dict.fromkeys(shifts.LATE, 6)}
_OFTEN_DIES_EARLY_IN_A_BATCH: Final = 2
_LOCKS: Final = re.compile(r"FOR UPDATE|FOR NO KEY|\b(?:ledger|webhooks|take|record|pg)_\w+\(")


class Killed(BaseException):
    """The process is gone: no handler of the product runs."""


class WorldEnds(BaseException):
    """A rule is broken, or the time is over: everybody stops where they are."""


class Actor(Protocol):
    """What a process does in one turn. `rest` is how long it waits, at most, before the next; `weight` how often it is next."""

    name: str
    rest: timedelta
    weight: int

    def turn(self) -> None: ...


class Process:
    """One thread of the world. `wakes_at` is when it may have the baton again."""

    def __init__(self, world: "World", actor: Actor) -> None:
        self.world = world
        self.actor = actor
        self.name = actor.name
        self.baton = threading.Semaphore(0)
        self.wakes_at: datetime = world.clock.shown()
        self.left = False
        self.dead = False
        self._locked = False

    def live(self) -> None:
        """Take turns until the world closes. Runs in a thread of its own."""
        self.baton.acquire()
        belongs_to(self)
        with hooked(self):
            while not self.world.closing:
                self._turn()
                if not self.world.closing:
                    self.nap(self.actor.rest)
                    self.world.hand_on(self)
        belongs_to(None)
        self.left = True
        self.world.leave()

    def nap(self, longest: timedelta) -> None:
        self.wakes_at = self.world.clock.shown() + longest * self.world.chance.random()

    def sleep(self, wakes_at: datetime) -> None:
        """Let others go on until then."""
        if self.world.closing:
            return
        self.wakes_at = wakes_at
        self.world.hand_on(self)
        if self.world.ended:
            raise WorldEnds

    def pause(self, place: str, *, often: int = 1) -> None:
        """Let others go on, perhaps for long: the real process could be interrupted here."""
        world = self.world
        if world.ended:
            raise WorldEnds
        if world.closing:
            return
        drawn = world.chance.random()
        sleeps = world.terms.sleeps * often
        if drawn < sleeps:
            self.nap(world.terms.longest_sleep)
            world.met("sleep", place)
        elif drawn > world.terms.switches + sleeps:
            return
        world.hand_on(self)
        if world.ended:
            raise WorldEnds

    def reach(self, place: str, *, often: int = 1) -> None:
        """Perhaps die here."""
        if self.dead:
            raise Killed(place)
        world = self.world
        if world.ended:
            raise WorldEnds
        step = shifts.step_under_way()
        if step:  # its many asks would else be where every batch ends
            often = _OFTEN_DIES_IN_A_BATCH.get(step, _OFTEN_DIES_EARLY_IN_A_BATCH)
        if not world.closing and world.chance.random() < world.terms.kills * often:
            world.met("crash", place)
            if step:
                world.met("crash in a batch", f"{place}: {step}")
            world.note(self.name, f"killed {place}")
            self.dead = True
            _end_transaction()  # as the server does with what was not committed
            raise Killed(place)

    def outside(self, place: str, call: Callable[[], Any]) -> Any:
        """Call the outside: one may sleep or die on each side of it, more often than elsewhere, since calls are few."""
        self.pause(f"before {place}", often=_OFTEN_SLEEPS_AT_CALLS)
        self.reach(f"before {place}", often=_OFTEN_DIES_AT_CALLS)
        answer = call()
        self.reach(f"after {place}", often=_OFTEN_DIES_AT_CALLS)
        self.pause(f"after {place}", often=_OFTEN_SLEEPS_AT_CALLS)
        return answer

    def executed(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """Stand around every statement of this process."""
        if self.dead:
            raise Killed
        if self.world.ended:
            raise WorldEnds
        reads = isinstance(sql, str) and sql.startswith("SELECT") and not _LOCKS.search(sql)
        if context["connection"].in_atomic_block:
            if reads and not self._locked:
                found = execute(sql, params, many, context)
                self.pause("before the first lock")
                return found
            self._locked = True
            return execute(sql, params, many, context)
        if reads:
            found = execute(sql, params, many, context)
            self.pause("between statements")
            return found
        self.reach("before statement")
        found = execute(sql, params, many, context)
        self._committed("statement")
        return found

    def committed(self, commit: Callable[[], None]) -> None:
        self.reach("before commit")
        commit()
        self._locked = False
        self._committed("commit")
        shifts.transaction_is_over()

    def rolled_back(self, roll_back: Callable[[], None]) -> None:
        self._locked = False
        roll_back()
        shifts.transaction_is_over()

    def _committed(self, what: str) -> None:
        self.world.check()
        self.reach(f"after {what}")
        self.pause(f"after {what}")

    def _turn(self) -> None:
        try:
            self.actor.turn()
        except Refusal as refusal:
            self.world.note(self.name, f"refused: {refusal.code}")
        except (Killed, WorldEnds):
            pass
        except BaseException as error:
            if not self.dead and not self.world.ended:  # Django's own clean-up meets a closed connection
                self.world.found("defect", self.name, f"{type(error).__name__}: {error}")
        if self.dead or self.world.ended:
            _begin_anew()
            self.dead = self._locked = False
            self.nap(self.world.terms.longest_restart)


def _end_transaction() -> None:
    raw: psycopg.Connection[Any] | None = connection.connection
    if raw is not None and raw.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        raw.rollback()


def _begin_anew() -> None:
    """Have the session as a new process finds it: in no transaction, and holding no lock; a new one where it is not so."""
    raw: psycopg.Connection[Any] | None = connection.connection
    idle = raw is not None and raw.autocommit and raw.info.transaction_status is TransactionStatus.IDLE
    if raw is None or not idle or connection.in_atomic_block or connection.needs_rollback or connection.errors_occurred:
        connection.close()
        return
    raw.execute("SELECT pg_advisory_unlock_all()")


class hooked:
    """Stand around the commits and statements of this thread's connection, for a process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def __enter__(self) -> None:
        connection.ensure_connection()
        real: Any = connection._connections[connection._alias]  # type: ignore[attr-defined]  # this thread's own
        commit, roll_back = type(real)._commit, type(real)._rollback
        real._commit = lambda: self._process.committed(lambda: commit(real))
        real._rollback = lambda: self._process.rolled_back(lambda: roll_back(real))
        real.execute_wrappers.append(self._process.executed)
        self._real = real

    def __exit__(self, *_: object) -> None:
        del self._real._commit, self._real._rollback
        self._real.execute_wrappers.remove(self._process.executed)
