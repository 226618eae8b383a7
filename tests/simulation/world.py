"""A seeded random world: who lives in it, how time passes, what goes wrong, and what must hold all the while.

    with stage.set() …: World(seed, stage).live()

1 an operator with its wallet service, pools, perhaps a market and positions, are set up by real operations
2 for a number of turns everybody acts, in an order that the seed decides; faults and deaths as the seed decides
3 then the deaths end, and a while later the faults: what was begun is ended, queues run empty, people decide what is theirs
4 whatever the seed, the rules held after every commit, and at the end the book and the counterparty agree
5 in some worlds the books are closed, before people have decided and after: what the close finds was predicted, and two
  people sign

The same seed is always the same trace.
"""

import hashlib
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from contextvars import copy_context
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from django.test import override_settings

from ledger.controls import clock, randomness
from orders.sagas import runner
from tests.simulation import closing, ends, rules
from tests.simulation.outside import present
from tests.simulation.played import Break, Reach
from tests.simulation.processes import Actor, Killed, Process, WorldEnds, hooked
from tests.simulation.terms import Terms, drawn
from tests.simulation.ticking_clock import START, TickingClock
from webhooks import outbound

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

_MOST_BREAKS: Final = 5


class World:
    """`breaks` is empty after `live` when every rule held."""

    def __init__(self, seed: int, stage: "Stage", *, terms: Terms | None = None) -> None:
        self.seed = seed
        self.stage = stage
        self.chance = random.Random(seed)
        self.terms = terms or drawn(seed, self.chance)
        self.clock = TickingClock(START)
        self.breaks: list[Break] = []
        self.trace: list[str] = []
        self.reach = Reach()
        self.closing = False
        self.ended = False
        self.faulty = False
        self.checks = 0
        self._turns = 0
        self._processes: list[Process] = []
        self._over = threading.Semaphore(0)
        self._watch: rules.Watch | None = None

    def live(self, cast: "Callable[[World], Sequence[Actor]]") -> list[Break]:
        """Live through it. Returns what broke."""
        with ExitStack() as stack:
            stack.enter_context(clock.use(self.clock))
            stack.enter_context(randomness.use(randomness.SeededSource(self.seed)))
            stack.enter_context(patch.object(runner, "_note_defect", self.noticed))
            self._set_up(cast, stack)
            self._everybody_acts()
            if not self.ended:
                self._quiet_down()
            self.reach.edges.update(rules.edges(self.stage.looking))
        return self.breaks

    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    def note(self, who: str, what: str) -> None:
        self.trace.append(f"{self.clock.shown():%H:%M:%S.%f} {who}: {what}")

    def met(self, kind: str, what: str) -> None:
        self.reach.things[kind, what] += 1

    def found(self, rule: str, subject: str, detail: str) -> None:
        """A rule does not hold: the world ends here."""
        if len(self.breaks) < _MOST_BREAKS:
            self.breaks.append(Break(rule, subject, detail))
        self.note("rules", f"{rule} {subject}: {detail}")
        self.ended = self.closing = True

    def noticed(self, reference: str, token: str, error: Exception) -> None:
        """A saga's step has raised, which its runner would swallow: a defect, unless its process has died."""
        process = present()
        if process is not None and process.dead:
            raise Killed
        if not self.ended:
            self.found("defect", reference, f"{type(error).__name__}: {error}")
        raise WorldEnds

    def check(self) -> None:
        """Look whether the rules hold now. Called after every commit, before anybody else moves."""
        if self._watch is None or self.ended:
            return
        if self._watch.look():
            self.checks += 1
        if self.ended:
            raise WorldEnds

    def hand_on(self, present: Process) -> None:
        """Give the baton to whoever comes next, and wait for it to come back."""
        chosen = self._next(present)
        if chosen is not present:
            chosen.baton.release()
            present.baton.acquire()

    def leave(self) -> None:
        """A process has ended for good: the next goes on, or the world does."""
        for process in self._processes:
            if not process.left:
                process.baton.release()
                return
        self._over.release()

    def _next(self, present: Process) -> Process:
        self._turns += 1
        if self._turns >= self.terms.turns or self.closing:
            self.closing = True
            return present
        self._time_passes()
        awake = [process for process in self._processes if process.wakes_at <= self.clock.shown()]
        if not awake:
            first = min(self._processes, key=lambda process: process.wakes_at)
            self.clock.advance(first.wakes_at - self.clock.shown())
            awake = [first]
        return self.chance.choices(awake, weights=[process.actor.weight for process in awake])[0]

    def _time_passes(self) -> None:
        drawn = self.chance.random()
        if drawn < 0.0015:
            self.met("time", "hours")
            self.clock.advance(timedelta(minutes=self.chance.randrange(20, 200)))
        elif drawn < 0.02:
            self.met("time", "a minute")
            self.clock.advance(timedelta(seconds=self.chance.randrange(10, 90)))
        else:
            self.clock.advance(timedelta(milliseconds=self.chance.randrange(1, 300)))

    def _set_up(self, cast: "Callable[[World], Sequence[Actor]]", stack: ExitStack) -> None:
        from tests.simulation.scene import Scene

        self.scene = Scene(self)
        stack.enter_context(outbound.use(self.scene.outside))
        self._watch = None
        with randomness.use(randomness.SeededSource(0)):
            self.scene.prepare()
        stack.enter_context(override_settings(SAGA_THREADS=self.terms.threads))
        self._watch = rules.Watch(self)
        self._watch.look()
        self.clock.advance(self.terms.stood)  # what the scene was set up with is older than that
        self._processes = [Process(self, actor) for actor in cast(self)]

    def _everybody_acts(self) -> None:
        if self.ended:
            return
        self.faulty = True
        lives = [self.stage.crew.submit(copy_context().run, process.live) for process in self._processes]
        self._processes[0].baton.release()
        self._over.acquire()
        for life in lives:
            life.result()

    def _quiet_down(self) -> None:
        """Nobody dies any more, then nothing fails any more; everything that waits gets its turn until nothing is left."""
        self.closing = True
        drain = Process(self, _Nobody())
        try:
            with hooked(drain):
                ends.linger(self)
                self.faulty = False
                if self.terms.closes:
                    ends.drain(self, decides=False)
                    closing.find(self)
                ends.drain(self)
                ends.compare(self)
                if self._watch is not None:
                    self._watch.look_once_more()
                if self.terms.closes and not self.ended:
                    closing.close(self)
        except WorldEnds:
            assert self.breaks


class _Nobody:
    name = "drain"
    rest = timedelta(0)
    weight = 1

    def turn(self) -> None:
        return
