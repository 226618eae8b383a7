"""A worker's shift: the sagas that are due, one by one, or by the crew as production has it, its threads played in turn.

1 what the crew gives to a thread is kept until it waits for one; then some of it runs, here, in an order of chance
2 the crew's time is the world's, and while it sleeps others go on
3 while more than one order shares what is being done, that has a name: who dies there dies inside a batch
4 now and then the database undoes a step that several take: its orders go singly from there
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from django.db import OperationalError

from ledger.controls import clock
from ledger.controls.moves_together import Step, move_together
from orders import transitions
from orders.sagas import crew, runner, together
from tests.simulation.outside import present
from wallets import first_asks
from wallets.claiming import Claimed
from wallets.first_asks import Answer, FirstAsk
from wallets.outcomes import Confirmed, Rejected, Unknown

if TYPE_CHECKING:
    from tests.simulation.world import World

COMMITTED: Final = (
    "taken up",
    "debit requested",
    "claimed for asking",
    "answered",
    "debit confirmed",
    "trade settled",
)
"""What several take together in a transaction of theirs, by the reason that its moves give."""
ASKED: Final = "asked"
DROPPED: Final = "dropped"
LATE: Final = ("answered", "debit confirmed", "trade settled", DROPPED)
"""What few batches live to see."""
_UNDONE: Final = 0.03
_ALL_END: Final = 0.5
_LEAST_SLEEP: Final = timedelta(milliseconds=1)

_move, _claim, _put = move_together, first_asks.claim, first_asks.put
_settle, _drop, _note_defect = together.settle, together.drop, together._note_defect


class Undone(OperationalError):
    """The database gave a transaction up, as it may any."""


class Shift:
    """`step` names what more than one order shares at present, or is empty."""

    def __init__(self, world: "World") -> None:
        self.step = ""
        self._world = world
        self._given: list[tuple[Future[Any], Callable[[], Any]]] = []
        self._unwritten = 0

    def submit(self, run: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Take what a thread would do; it is done when the crew waits."""
        future: Future[Any] = Future()
        self._given.append((future, partial(run, *arguments)))
        return future

    def wait(
        self, awaited: "Iterable[Future[Any]]", timeout: float | None = None, return_when: str = ""
    ) -> tuple[set["Future[Any]"], set["Future[Any]"]]:
        """Let some of them end, at least one; those that are gathered with it have ended already, or end later."""
        futures = set(awaited)
        ended = {future for future in futures if future.done()}
        if return_when == FIRST_COMPLETED and not ended:
            self._some_end()
            ended = {future for future in futures if future.done()}
        return ended, futures - ended

    def sleep(self, seconds: float) -> None:
        """Let others go on for so long."""
        world, process = self._world, present()
        wakes_at = world.clock.shown() + max(timedelta(seconds=seconds), _LEAST_SLEEP)
        if process is not None:
            process.sleep(wakes_at)
        world.clock.advance(max(wakes_at - world.clock.shown(), timedelta(0)))

    def shares(self, step: str, number: int) -> None:
        """Note that so many take a step together, inside its transaction; the database may undo it."""
        if number < 2:
            return
        self.step = step
        self._world.met("together", step)
        if self._world.faulty and self._world.chance.random() < _UNDONE:
            self._world.met("together", "undone")
            raise Undone(step)

    def claim(self, *arguments: Any, **named: Any) -> list[tuple[Claimed, FirstAsk]]:
        claimed = _claim(*arguments, **named)
        self._unwritten += len(claimed)
        return claimed

    def put(self, claimed: Claimed, *, request_id: str) -> Answer:
        """Ask one; it is one of several as long as others that were claimed are not written down."""
        if self._unwritten > 1:
            self.step = ASKED
            self._world.met("together", ASKED)
        answer = _put(claimed, request_id=request_id)
        self.step = ""
        return answer

    def settle(self, answers: Sequence[Answer]) -> list[str]:
        said = {type(answer.reply.outcome) for answer in answers}
        for one in (Rejected, Unknown):
            if {one, Confirmed} <= said:
                self._world.met("together", f"one {one.__name__.lower()}, one confirmed")
        self._unwritten -= len(answers)
        return _settle(answers)

    def drop(self, heard: Mapping[str, int], *, token: str) -> set[str]:
        if len(heard) > 1:
            self.step = DROPPED
            self._world.met("together", DROPPED)
        dropped = _drop(heard, token=token)
        self.step = ""
        return dropped

    def note_defect(self, step: str, of: int, error: Exception) -> None:
        """The step's orders would go singly, and nobody would know why: a defect, unless the world meant it."""
        self.step = ""
        if not isinstance(error, Undone):
            self._world.noticed(step, "", error)
        _note_defect(step, of, error)

    def _some_end(self) -> None:
        chance = self._world.chance
        number = len(self._given) if chance.random() < _ALL_END else chance.randrange(1, len(self._given) + 1)
        for _ in range(number):
            threads = min(self._world.terms.threads, len(self._given))
            future, run = self._given.pop(chance.randrange(threads))
            try:
                future.set_result(run())
            except Exception as defect:
                self._world.noticed("a thread of the crew", "", defect)


_shift: ContextVar[Shift | None] = ContextVar("shift", default=None)


def work(world: "World") -> int:
    """Do what sagas are due, as the workers of this world do."""
    token = _shift.set(Shift(world))
    try:
        return runner.work()
    finally:
        _shift.reset(token)


def step_under_way() -> str:
    """Name what several orders share at present, or nothing."""
    shift = _shift.get()
    return shift.step if shift is not None else ""


def transaction_is_over() -> None:
    if (shift := _shift.get()) is not None:
        shift.step = ""


@contextmanager
def threads_in_turn() -> Iterator[None]:
    """Have every crew's threads, time and steps be those of the present shift."""
    with ExitStack() as stack:
        stack.enter_context(
            patch.multiple(
                crew,
                _threads=_present,
                _askers=_present,
                wait=lambda *a, **named: _present().wait(*a, **named),
                time=_Time,
            )
        )
        for where in (transitions, first_asks):
            stack.enter_context(patch.object(where, "move_together", _moved))
        stack.enter_context(
            patch.multiple(
                first_asks,
                claim=lambda *a, **named: _present().claim(*a, **named),
                put=lambda *a, **named: _present().put(*a, **named),
            )
        )
        stack.enter_context(
            patch.multiple(
                together,
                settle=lambda answers: _present().settle(answers),
                drop=lambda heard, *, token: _present().drop(heard, token=token),
                _note_defect=lambda *a: _present().note_defect(*a),
            )
        )
        yield


class _Time:
    """The module `time`, as the crew knows it."""

    monotonic = staticmethod(clock.monotonic)

    @staticmethod
    def sleep(seconds: float) -> None:
        _present().sleep(seconds)


def _present() -> Shift:
    shift = _shift.get()
    assert shift is not None, "sagas are taken together outside a shift"
    return shift


def _moved(steps: Sequence[Step], *, now: datetime) -> None:
    _move(steps, now=now)
    _present().shares(steps[0].why.cause, len(steps))
