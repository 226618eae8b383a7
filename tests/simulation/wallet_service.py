"""The operator's wallet service as the world plays it: its own truth, and every fault of DESIGN.md section 5.

It obeys the published protocol (one key one effect, `Not-After`, visible before it is answered, within the horizon), unless
its terms say that it is disobedient: then a message may be applied long after its time, and the effect is a late one.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from tests.simulation.terms import CROWD, NEWS, REVIEW, VENUE
from webhooks.outbound import Broken, NotSent, OutboundRequest, OutboundResponse, TimedOut

if TYPE_CHECKING:
    from tests.simulation.world import World

_CONFIRMED: Final = "confirmed"
_REJECTED: Final = "rejected"
_MORE_DECLINED: Final = 8
"""Where several buys are asked for at once: the others go on without the one that is declined."""
_PENDING: Final = "pending"


@dataclass(slots=True)
class Operation:
    """What became of a key here. `hidden_until`: lookups do not find it before."""

    key: str
    leg: str
    owner: str
    asset: str
    amount: str
    status: str
    at: datetime
    code: str = ""
    hidden_until: datetime | None = None
    settles_at: datetime | None = None
    settles_as: str = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that really moved. `at` is when the service took it on."""

    key: str
    leg: str
    owner: str
    asset: str
    amount: str
    at: datetime
    late: bool


@dataclass(frozen=True, slots=True)
class _OnItsWay:
    request: OutboundRequest
    arrives_at: datetime
    obeys: bool


class WalletService:
    """`movements` is the truth. `told` is called with (key, status) when an operation has ended or is pending."""

    name = "wallet"
    kind = ""
    """Put before what faults are counted as."""
    lookups_share = 3
    """A lookup fails so many times less often than an ask: one that always fails tells nothing."""

    def __init__(self, world: "World", *, told: Callable[[str, str], None]) -> None:
        self._world = world
        self._told = told
        self.operations: dict[str, Operation] = {}
        self.movements: list[Movement] = []
        self.running: dict[str, list[datetime]] = {}
        self._on_their_way: list[_OnItsWay] = []

    def answer(self, request: OutboundRequest) -> OutboundResponse:
        """Answer one question, or fail in one of the ways in which such services fail."""
        self.time_has_passed()
        if request.method == "GET":
            return self._look_up(request)
        return self._ask(request)

    def time_has_passed(self) -> None:
        """Let arrive what was on its way, and settle what was pending."""
        now = self._world.clock.shown()
        arrived = [message for message in self._on_their_way if message.arrives_at <= now]
        self._on_their_way = [message for message in self._on_their_way if message.arrives_at > now]
        for message in arrived:
            self._apply(message.request, at=message.arrives_at, obeys=message.obeys)
        for operation in self.operations.values():
            if operation.status == _PENDING and operation.settles_at is not None and operation.settles_at <= now:
                self._settle(operation)

    def movements_of(self, owner: str, leg: str) -> list[Movement]:
        return [movement for movement in self.movements if movement.owner == owner and movement.leg == leg]

    def expect_nothing_more(self) -> None:
        """End what is on its way and what is pending, at once: the faults are over."""
        later = self._world.clock.shown() + timedelta(days=1)
        for operation in self.operations.values():
            if operation.status == _PENDING:
                operation.settles_at = self._world.clock.shown()
            operation.hidden_until = None
        assert all(message.arrives_at < later for message in self._on_their_way)

    def last_arrival(self) -> datetime | None:
        return max((message.arrives_at for message in self._on_their_way), default=None)

    def _ask(self, request: OutboundRequest) -> OutboundResponse:
        key = request.headers["idempotency-key"]
        known = self.operations.get(key)
        if known is not None:
            return self._shown(known)
        match self._fault("ask", _ASK_FAULTS, leg=self.read(request)["operation"]):
            case "not sent":
                raise NotSent("refused")
            case "timeout before applying":
                raise TimedOut("silence")
            case "reset before applying":
                raise Broken("reset")
            case "500 before applying":
                return OutboundResponse(500, {}, b"oops")
            case "declined":
                return self._declined(request)
            case "pending":
                return self._accepted(request)
            case "on its way":
                self._delay(request)
                raise TimedOut("silence")
            case "timeout after applying":
                self._apply(request)
                raise TimedOut("silence")
            case "reset after applying":
                self._apply(request)
                raise Broken("reset")
            case "500 after applying":
                self._apply(request)
                return OutboundResponse(500, {}, b"oops")
            case "garbled":
                self._apply(request)
                return OutboundResponse(200, {}, b'{"status": "confir')
            case "other amount":
                operation = self._apply(request)
                return self._shown(operation, amount="0.01") if operation else self._too_late(key)
            case "not found for a while":
                self._hide(request)
                raise TimedOut("silence")
            case "slow":
                operation = self._apply(request)
                self._world.clock.advance(timedelta(seconds=self._world.chance.uniform(0.5, 1.5) * request.timeout))
                if operation is None:
                    return self._too_late(key)
                raise TimedOut("slow")
        operation = self._apply(request)
        return self._shown(operation) if operation else self._too_late(key)

    def _look_up(self, request: OutboundRequest) -> OutboundResponse:
        key = unquote(request.url.rpartition("/")[2])
        match self._fault("lookup", _LOOKUP_FAULTS):
            case "not sent":
                raise NotSent("refused")
            case "timeout":
                raise TimedOut("silence")
            case "500":
                return OutboundResponse(500, {}, b"oops")
            case "reset":
                raise Broken("reset")
            case "garbled":
                return OutboundResponse(200, {}, b"<html>")
            case "a proxy's 404":
                return OutboundResponse(404, {}, b"<html>not here</html>")
        operation = self.operations.get(key)
        now = self._world.clock.shown()
        if operation is None or (operation.hidden_until is not None and operation.hidden_until > now):
            return said(404, self.absence(request, key))
        return self._shown(operation, looked_up=True)

    def _fault(self, kind: str, faults: tuple[str, ...], *, leg: str = "") -> str:
        world = self._world
        often = world.terms.faults / (self.lookups_share if kind == "lookup" else 1)
        if leg == "reverse":
            often = max(often, 0.8 if world.terms.theme in (REVIEW, VENUE) else 0)
        elif world.terms.theme == VENUE and leg:
            often /= 4  # most orders come to their venue there
        if not world.faulty or world.chance.random() >= often:
            return ""
        if world.terms.theme == CROWD and leg == "debit":
            faults = (*faults, *["declined"] * _MORE_DECLINED)
        fault = world.chance.choice(faults)
        world.met(f"{self.kind}{kind}", fault)
        world.note(self.name, f"{kind}: {fault}")
        return fault

    def _apply(self, request: OutboundRequest, *, at: datetime | None = None, obeys: bool = True) -> Operation | None:
        """Apply a movement once; None when it came too late, and was not applied."""
        key, content = request.headers["idempotency-key"], self.read(request)
        now = at or self._world.clock.shown()
        if key in self.operations:
            return self.operations[key]
        late = now > datetime.fromisoformat(request.headers["not-after"])
        if late and obeys:
            return None
        operation = self._made(key, content, status=_CONFIRMED, at=now)
        if content["operation"] == "reverse" and not self._can_reverse(content):
            operation.status, operation.code = _REJECTED, "nothing_to_reverse"
            return operation
        self._moved(operation, late=late)
        return operation

    def _moved(self, operation: Operation, *, late: bool) -> None:
        self.movements.append(
            Movement(
                operation.key, operation.leg, operation.owner, operation.asset, operation.amount, operation.at, late
            )
        )
        self._world.note(self.name, f"moved {operation.key}{' late' if late else ''}")
        self._world.scene.truth.moved(self.movements[-1])
        often = 1 if self._world.terms.theme == NEWS else 0.5
        if late or (self._world.faulty and self._world.chance.random() < often):
            self._told(operation.key, _CONFIRMED)

    def _can_reverse(self, content: dict[str, str]) -> bool:
        debits = self.movements_of(content["reference"], "debit")
        return bool(debits) and not self.movements_of(content["reference"], "reverse")

    def _made(self, key: str, content: dict[str, str], *, status: str, at: datetime) -> Operation:
        self.operations[key] = Operation(
            key, content["operation"], content["reference"], content["asset"], content["amount"], status, at
        )
        return self.operations[key]

    def _declined(self, request: OutboundRequest) -> OutboundResponse:
        key, content = request.headers["idempotency-key"], self.read(request)
        operation = self._made(key, content, status=_REJECTED, at=self._world.clock.shown())
        operation.code = "declined"
        return self._shown(operation)

    def _accepted(self, request: OutboundRequest) -> OutboundResponse:
        """Accept it, still working: it ends within minutes, either way."""
        key, content = request.headers["idempotency-key"], self.read(request)
        now = self._world.clock.shown()
        if now > datetime.fromisoformat(request.headers["not-after"]):
            return self._too_late(key)
        operation = self._made(key, content, status=_PENDING, at=now)
        operation.settles_at = now + timedelta(seconds=self._world.chance.uniform(1, 120))
        operation.settles_as = self._world.chance.choice((_CONFIRMED, _CONFIRMED, _REJECTED))
        self._told(key, _PENDING)
        return self._shown(operation)

    def _settle(self, operation: Operation) -> None:
        operation.status = operation.settles_as
        if operation.status == _CONFIRMED and operation.leg == "reverse" and not self._reversible(operation):
            operation.status = _REJECTED
        if operation.status == _CONFIRMED:
            self._moved(operation, late=False)
        else:
            operation.code = "declined"
        self._told(operation.key, operation.status)

    def _reversible(self, operation: Operation) -> bool:
        return bool(self.movements_of(operation.owner, "debit"))

    def _delay(self, request: OutboundRequest) -> None:
        """The message arrives later; a disobedient service applies it whenever that is."""
        obeys = self._world.chance.random() >= self._world.terms.disobedient
        wait = self._world.chance.uniform(0.1, 4 if obeys else 240)
        self._on_their_way.append(_OnItsWay(request, self._world.clock.shown() + timedelta(seconds=wait), obeys))

    def _hide(self, request: OutboundRequest) -> None:
        operation = self._apply(request)
        if operation is not None:
            horizon = datetime.fromisoformat(request.headers["not-after"]) + self._world.terms.not_found_horizon
            span = horizon - self._world.clock.shown()
            operation.hidden_until = self._world.clock.shown() + span * self._world.chance.random()

    def _too_late(self, key: str) -> OutboundResponse:
        """Refuse it for ever: what is still on its way under this key is not applied either."""
        self._world.met(f"{self.kind}ask", "refused as too late")
        self._on_their_way = [one for one in self._on_their_way if one.request.headers["idempotency-key"] != key]
        return said(422, self.lateness(key))

    def read(self, request: OutboundRequest) -> dict[str, str]:
        """Return what is asked for: operation, reference, asset, amount."""
        content: dict[str, str] = json.loads(request.body)
        return content

    def absence(self, request: OutboundRequest, key: str) -> dict[str, str]:
        """Say that a key is not known."""
        return {"code": "not_found", "idempotency_key": key}

    def lateness(self, key: str) -> dict[str, str]:
        """Say that a key came too late."""
        return {"status": _REJECTED, "code": "too_late", "idempotency_key": key}

    def _shown(self, operation: Operation, *, amount: str = "", looked_up: bool = False) -> OutboundResponse:
        content = {
            "status": operation.status,
            "idempotency_key": operation.key,
            "operation": operation.leg,
            "asset": operation.asset,
            "amount": amount or operation.amount,
        }
        if operation.status == _REJECTED:
            return said(200 if looked_up else 422, {**content, "code": operation.code})
        if operation.status == _PENDING:
            return said(200 if looked_up else 202, content)
        return said(200, {**content, "remote_ref": f"w-{operation.key}"[:120]})


def said(status: int, content: dict[str, str]) -> OutboundResponse:
    return OutboundResponse(status, {"content-type": "application/json"}, json.dumps(content).encode())


_ASK_FAULTS: Final = (
    "declined",
    "not sent",
    "timeout before applying",
    "timeout after applying",
    "reset before applying",
    "reset after applying",
    "500 before applying",
    "500 after applying",
    "slow",
    "pending",
    "pending",
    "garbled",
    "other amount",
    "not found for a while",
    "not found for a while",
    "on its way",
    "on its way",
)
_LOOKUP_FAULTS: Final = ("not sent", "timeout", "500", "reset", "garbled", "a proxy's 404")
FAULTS: Final = {"ask": _ASK_FAULTS, "lookup": _LOOKUP_FAULTS}
