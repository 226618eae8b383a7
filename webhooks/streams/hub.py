"""The hub: one question to the database for all open streams, and each answer to the streams that wait for it.

It asks when the relay calls, and anyway every few seconds; every second while nobody can be heard. A stream holds its
place and a short queue, never a connection. One whose reader is so slow that its queue is full is ended: the reader comes
again with its Last-Event-ID.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from webhooks.streams.reading import MOST_AT_ONCE, Frame

log = structlog.get_logger(__name__)

ASK_EVERY_SECONDS: Final = 3.0
ASK_EVERY_WHILE_DEAF_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 0.02
_AFTER_FAILURE_SECONDS: Final = 1.0
_ASKED_AT_ONCE: Final = 500
_QUEUE: Final = 256

Changes = Callable[[Mapping[str, int]], Awaitable[Mapping[str, list[Frame]]]]


@dataclass(eq=False, slots=True)
class Watch:
    """One open stream's place in an aggregate, and what it has not sent yet. `is_lost` when it cannot keep up."""

    aggregate: str
    sequence: int
    waiting: deque[Frame] = field(default_factory=deque)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    is_lost: bool = False

    def take(self, frame: Frame) -> None:
        if frame.sequence <= self.sequence or self.is_lost:
            return
        if len(self.waiting) >= _QUEUE:
            self.is_lost = True
        else:
            self.sequence = frame.sequence
            self.waiting.append(frame)
        self.stirred.set()


class Hub:
    """Lives in one event loop. `changes` asks the database elsewhere."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._watches: dict[str, set[Watch]] = {}
        self._named: set[str] = set()
        self._stirred = asyncio.Event()
        self._is_deaf = True

    def watch(self, aggregate: str, *, sequence: int) -> Watch:
        """Follow an aggregate from behind this sequence on; what was committed meanwhile comes with the next answer."""
        made = Watch(aggregate, sequence)
        self._watches.setdefault(aggregate, set()).add(made)
        self.hear({aggregate})
        return made

    def leave(self, watch: Watch) -> None:
        mine = self._watches.get(watch.aggregate, set())
        mine.discard(watch)
        if not mine:
            self._watches.pop(watch.aggregate, None)

    def hear(self, aggregates: set[str]) -> None:
        """Ask for these soon, as far as anybody watches them."""
        watched = {name for name in aggregates if name in self._watches}
        if watched:
            self._named |= watched
            self._stirred.set()

    def listening(self, does: bool) -> None:
        """Take notice that calls can be heard, or no longer; what was called meanwhile is asked for."""
        self._is_deaf = not does
        self.hear(set(self._watches))

    async def run(self) -> None:
        """Ask and hand out, for ever."""
        while True:
            pause = ASK_EVERY_WHILE_DEAF_SECONDS if self._is_deaf else ASK_EVERY_SECONDS
            try:
                await asyncio.wait_for(self._stirred.wait(), pause)
                await asyncio.sleep(_QUIET_SECONDS)  # several calls are one question
                wanted = self._named
            except TimeoutError:
                wanted = set(self._watches)
            self._named, asked = set(), sorted(wanted)
            self._stirred.clear()
            try:
                for start in range(0, len(asked), _ASKED_AT_ONCE):
                    await self._ask(asked[start : start + _ASKED_AT_ONCE])
            except Exception:  # the database is away: streams stay open and wait
                log.warning("streams.question_failed", exc_info=True)
                await asyncio.sleep(_AFTER_FAILURE_SECONDS)
                self.hear(set(asked))

    async def _ask(self, aggregates: list[str]) -> None:
        places = {
            name: min(watch.sequence for watch in self._watches[name]) for name in aggregates if name in self._watches
        }
        if not places:
            return
        for name, found in (await self._changes(places)).items():
            for watch in self._watches.get(name, set()):
                for frame in found:
                    watch.take(frame)
            if len(found) == MOST_AT_ONCE:
                self.hear({name})
