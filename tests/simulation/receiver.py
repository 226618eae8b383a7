"""The operator's webhook receiver: it verifies, keeps what came first, and fails as receivers do."""

import json
from typing import TYPE_CHECKING, Any, Final

from webhooks import signatures
from webhooks.outbound import OutboundRequest, OutboundResponse, TimedOut

if TYPE_CHECKING:
    from tests.simulation.world import World

_FAULTS: Final = ("500", "timeout after taking", "timeout", "500 after taking")
_EVENT: Final = "SELECT topic, aggregate, sequence, payload FROM ledger_event WHERE reference = %s"


class Receiver:
    """`taken` lists (event, aggregate, sequence) as each came first."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.secret = ""
        self.taken: dict[str, tuple[str, int]] = {}
        self.gone = False

    def answer(self, request: OutboundRequest) -> OutboundResponse:
        if self.gone:
            return OutboundResponse(410, {}, b"")
        fault = self._fault()
        if fault in ("500", "timeout"):
            return self._failed(fault)
        self._take(request)
        return self._failed(fault) if fault else OutboundResponse(200, {}, b"{}")

    def _failed(self, fault: str) -> OutboundResponse:
        if fault.startswith("timeout"):
            raise TimedOut("silence")
        return OutboundResponse(500, {}, b"oops")

    def _fault(self) -> str:
        world = self._world
        if not world.faulty or world.chance.random() >= world.terms.faults / 2:
            return ""
        fault = world.chance.choice((*_FAULTS, "gone")) if world.chance.random() < 0.1 else world.chance.choice(_FAULTS)
        world.met("webhook", fault)
        if fault == "gone":
            self.gone = True
        return fault

    def _take(self, request: OutboundRequest) -> None:
        """Keep it, and hold it against what is committed: nothing is told that has not happened, and all in sequence."""
        world = self._world
        reference = signatures.verify(
            secrets=[self.secret],
            headers=request.headers,
            body=request.body,
            now=int(request.headers["webhook-timestamp"]),
        )
        content: dict[str, Any] = json.loads(request.body)
        row = world.stage.looking.execute(_EVENT, [reference], prepare=True).fetchone()
        if row is None:
            world.found("an event", reference, f"{content['type']} was told, and it is not committed")
            return
        topic, aggregate, sequence, payload = row
        if (topic, payload) != (content["type"], content["data"]):
            world.found("an event", reference, f"{content['type']} was told otherwise than it is recorded")
        last = max((seen for of, seen in self.taken.values() if of == aggregate), default=0)
        if reference not in self.taken:
            if sequence < last:
                world.found("an event", reference, f"{aggregate} told {sequence} after {last}")
            self.taken[reference] = (aggregate, sequence)


FAULTS: Final = (*_FAULTS, "gone")
