"""The house's own processes: workers that drive sagas, relays, deliveries, the poller, and the clockwork."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from ledger import expiry, fold, seals
from orders.operations import cancel_unconfirmed, drive_stale, expire_quotes
from tests.simulation import shifts
from tests.simulation.terms import PAYMENTS
from wallets import rates
from webhooks import delivery, relay

if TYPE_CHECKING:
    from tests.simulation.world import World


class Worker:
    """Does one batch of one kind of work in a turn; it rests shortly while there is more."""

    def __init__(self, world: "World", name: str, work: Callable[[], int], *, rest: timedelta, weight: int = 1) -> None:
        self.weight = weight
        self._world = world
        self.name = name
        self._work = work
        self._longest = rest
        self.rest = rest

    def turn(self) -> None:
        self.rest = self._longest
        done = self._work()
        if done:
            self._world.note(self.name, f"did {done}")
            self.rest = timedelta(milliseconds=50)


class Clockwork:
    """What the beat rings for by the clock: rates, quotes that expire, folds, seals, the poller."""

    name = "clockwork"
    rest = timedelta(seconds=18)
    weight = 1

    def __init__(self, world: "World") -> None:
        self._world = world

    def turn(self) -> None:
        kinds: tuple[Callable[[], int], ...] = (
            rates.refresh,
            rates.refresh,
            expire_quotes.expire_quotes,
            drive_stale.drive_stale,
            fold.fold,
            _seal,
        )
        if self._world.terms.pays:
            kinds = (expiry.expire, cancel_unconfirmed.cancel_unconfirmed, drive_stale.drive_stale, fold.fold, _seal)
        kind = self._world.chance.choice(kinds)
        done = kind()
        if done:
            self._world.note(self.name, f"{kind.__name__} {done}")


def workers(world: "World") -> list[Worker | Clockwork]:
    pays = world.terms.pays
    quick, slow = timedelta(seconds=3 if world.terms.theme == PAYMENTS else 1), timedelta(seconds=25)
    return [
        *(Worker(world, f"worker {number}", partial(shifts.work, world), rest=quick, weight=4) for number in (1, 2, 3)),
        *(
            Worker(world, f"relay {number}", relay.relay, rest=timedelta(seconds=4) if pays else slow)
            for number in (1, 2)
        ),
        Worker(world, "deliveries", delivery.deliver, rest=slow),
        Clockwork(world),
    ]


def _seal() -> int:
    block = seals.seal("test")
    return 0 if block is None else block.members
