"""The plain buys that one worker has in hand: which wait for their turn at a gateway, which are being asked, which fell out."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Final

import structlog

from ledger.controls import clock
from orders.sagas import together
from wallets import first_asks
from wallets.first_asks import Answer

log = structlog.get_logger(__name__)

_MOST_AT_ONCE: Final = 32
_PATIENCE_SECONDS: Final = 2.0
"""How long an order waits here for a gateway that takes no more questions, before it waits in its row."""

Submit = Callable[[Callable[[], Answer]], "Future[Answer]"]


class Batch:
    """`take` what was claimed, then `turn` as often as something may have changed. Both return what goes singly instead."""

    def __init__(self, *, token: str, threads: int) -> None:
        """`threads`: so many questions are claimed at once, since a claimed one's time runs from its claim."""
        self._token = token
        self._threads = threads
        self._heard: dict[str, int] = {}
        self._waiting: dict[str, tuple[str, float]] = {}
        self._asking: dict[Future[Answer], tuple[str, str]] = {}

    @property
    def room(self) -> int:
        return _MOST_AT_ONCE - len(self._waiting) - len(self._asking)

    @property
    def asking(self) -> set["Future[Answer]"]:
        return set(self._asking)

    def take(self, claimed: Mapping[str, int]) -> list[str]:
        """Keep the plain ones of what was claimed, each with its news; return the others."""
        if not claimed:
            return []
        began = clock.monotonic()
        for environment, references in together.plain(list(claimed)).items():
            for reference in references:
                self._heard[reference] = claimed[reference]
                self._waiting[reference] = (environment, began)
        return [reference for reference in claimed if reference not in self._waiting]

    def turn(self, submit: Submit) -> list[str]:
        """Take every order as far as it goes now; return those that go singly from here."""
        singly = self._end() + self._begin(submit)
        asked = {name for _, name in self._asking.values()}
        for name in [*asked, *singly]:
            self._waiting.pop(name, None)
        late = [name for name, (_, since) in self._waiting.items() if clock.monotonic() - since > _PATIENCE_SECONDS]
        for name in late:
            del self._waiting[name]
        return self._forget([*singly, *late])

    def close(self) -> list[str]:
        """Give up what waits; return it."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return self._forget(waiting)

    def _end(self) -> list[str]:
        """Take those that were answered to their end; return the ones that are not there."""
        answered: dict[str, list[tuple[str, Future[Answer]]]] = {}
        for future in [one for one in self._asking if one.done()]:
            environment, reference = self._asking.pop(future)
            answered.setdefault(environment, []).append((reference, future))
        left: list[str] = []
        for some in answered.values():
            for reference, future in some:
                if (defect := future.exception()) is not None:
                    log.error("ask_defect", subject=reference, exc_info=defect)
            together.settle([future.result() for _, future in some if future.exception() is None])
            heard = {reference: self._heard[reference] for reference, _ in some}
            dropped = together.drop(heard, token=self._token)
            for name in dropped:
                del self._heard[name]
            left += [name for name in heard if name not in dropped]
        return left

    def _begin(self, submit: Submit) -> list[str]:
        """Have those asked that may be; return the ones that are not on their way there."""
        left: list[str] = []
        for environment in {environment for environment, _ in self._waiting.values()}:
            names = [name for name, (where, _) in self._waiting.items() if where == environment]
            claimed, waiting = together.claim_debits(names, most=self._threads - len(self._asking))
            for one, ask in claimed:
                future = submit(partial(first_asks.put, one, request_id=ask.request_id))
                self._asking[future] = (environment, ask.leg.owner)
            asked = {ask.leg.owner for _, ask in claimed}
            left += [name for name in names if name not in waiting and name not in asked]
        return left

    def _forget(self, names: Iterable[str]) -> list[str]:
        for name in names:
            self._heard.pop(name, None)
        return list(names)
