"""The venues as the world plays them: the sandbox's own, on the world's clock, with every fault that it knows.

`movements` is the truth: each leg that a venue confirmed. What it believes of a trade is in `states`.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from orders.models import Quote
from orders.sandbox.faults import COURSES, RELEASED, RELEASED_ALWAYS, RETURNED
from orders.sandbox.routes import Sandbox
from orders.sandbox.store import Store
from tests.simulation.venues import SECRET
from tests.simulation.wallet_service import Movement
from wallets.sandbox.faults import Effect
from wallets.sandbox.messages import Ending, Request
from webhooks.outbound import Broken, NotSent, OutboundRequest, OutboundResponse, TimedOut

if TYPE_CHECKING:
    from tests.simulation.world import World

_NOT_SENT: Final = "not sent"
_ASKS: Final = (*COURSES, _NOT_SENT)
_OF_LEG: Final = {"reserve": (RELEASED, RELEASED_ALWAYS) * 3, "execute": (RETURNED,) * 3, "release": ()}
_LOOKUPS: Final = ("error", "silence", "reset", "garbled", _NOT_SENT)
_QUOTES: Final = ("error", "silence", "refused", "refused", _NOT_SENT)
_BY_ITSELF: Final = (RELEASED, RELEASED_ALWAYS, RETURNED)
FAULTS: Final = {
    "ask": (*(effect.value for effect in Effect), _NOT_SENT, *_BY_ITSELF),
    "lookup": _LOOKUPS,
    "quote": _QUOTES,
}
"""What is met: of an ask, what became of the trade, however that was told."""
_SHARES: Final = {"ask": 1, "lookup": 1, "quote": 2}
"""Something fails so many times less often than a wallet's ask does."""
_DAY: Final = 86_400 * 1_000_000
_PENDING_SECONDS: Final = 30
_HIDDEN_SECONDS: Final = 4  # less than any horizon
_RETURNED_SECONDS: Final = 60


class VenueService:
    """`inboxes` lists (pool, provider, secret): where its news go."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.store = Store(":memory:")
        self.sandbox = Sandbox(
            self.store,
            world.clock,
            pending_seconds=_PENDING_SECONDS,
            hidden_seconds=_HIDDEN_SECONDS,
            returned_seconds=_RETURNED_SECONDS,
        )
        self.inboxes: list[tuple[str, str, str]] = []
        self.movements: list[Movement] = []
        self._moved: set[str] = set()

    def open(self, inboxes: list[tuple[str, str, str]]) -> None:
        """Have it know whose questions are signed how, and where it tells its news."""
        self.inboxes = inboxes
        with self.store.transaction():
            self.store.add_secret(SECRET, only=True)
            for pool, code, secret in inboxes:
                self.store.set_inbox(pool, f"http://us.invalid/v1/inbox/{code}", secret)

    def answer(self, request: OutboundRequest) -> OutboundResponse:
        path = urlsplit(request.url).path
        question, about, faults = self._read(request, path)
        fault = self._fault(question, faults, known=question == "ask" and self.store.operation(about) is not None)
        if fault == _NOT_SENT:
            raise NotSent("refused")
        if fault:
            with self.store.transaction():
                self.store.add_plan(question, about, fault, 1)
        headers = {name.lower(): value for name, value in request.headers.items()}
        said = self.sandbox.answer(Request(request.method, path, headers, request.body))
        self._look()
        if said.ending is Ending.RESET:
            raise Broken("reset")
        self._world.clock.advance(timedelta(seconds=min(said.delay, request.timeout)))
        if said.ending is Ending.SILENCE or said.delay > request.timeout:
            raise TimedOut("silence")
        return OutboundResponse(said.status, {"content-type": said.content_type}, said.body)

    def states(self) -> dict[str, str]:
        """Return what it believes of each trade."""
        return {str(row["transact_id"]): str(row["state"]) for row in self._rows("trades")}

    def trades(self) -> list[dict[str, object]]:
        """Return its trades, each with its terms."""
        return self._rows("trades")

    def time_has_passed(self) -> None:
        """Let what was pending end."""
        with self.store.transaction():
            self.sandbox.venue.settle_due()
        self._look()

    def expect_nothing_more(self) -> None:
        """End what is pending and what is planned: the faults are over."""
        with self.store.transaction():
            self.store.advance(_DAY)
            self.store.reset()
        self.open(self.inboxes)

    def last_arrival(self) -> datetime | None:
        """Return None: nothing is on its way for long."""
        return None

    def _read(self, request: OutboundRequest, path: str) -> tuple[str, str, tuple[str, ...]]:
        """Return what kind of question this is, what it is about, and how it may fail."""
        if path == "/quotes":
            return "quote", "", _QUOTES
        if request.method == "GET":
            return "lookup", unquote(path.rpartition("/")[2]), _LOOKUPS
        return "ask", request.headers["idempotency-key"], (*_ASKS, *_OF_LEG[path.strip("/")])

    def _fault(self, question: str, faults: tuple[str, ...], *, known: bool) -> str:
        world = self._world
        if known or not world.faulty or world.chance.random() >= world.terms.faults / _SHARES[question]:
            return ""
        fault = world.chance.choice(faults)
        world.met(f"venue {question}", COURSES[fault].effect.value if question == "ask" and fault in COURSES else fault)
        world.note("venue", f"{question}: {fault}")
        return fault

    def _look(self) -> None:
        """Note what it has confirmed since."""
        for row in self._rows("operations"):
            key = str(row["key"])
            if row["status"] != "confirmed" or key in self._moved:
                continue
            self._moved.add(key)
            leg, trade = str(row["operation"]), str(row["transact_id"])
            at = datetime.fromtimestamp(int(str(row["asked_at"])) / 1_000_000, UTC)
            moved = Movement(key, leg, trade, str(row["taken_asset"]), str(row["taken_amount"]), at, late=False)
            self.movements.append(moved)
            self._world.note("venue", f"confirmed {key}")
            self._world.scene.truth.moved(moved)
            if leg == "execute":
                self._was_paid(trade)

    def _was_paid(self, trade: str) -> None:
        """What it executes of a buy the operator's wallet has paid."""
        order, side = self._order_of(trade)
        if side == Quote.Side.BUY and not self._world.scene.wallet.movements_of(order, "debit"):
            self._world.found("R1", trade, "its venue executed it, and its debit never moved")

    def _order_of(self, trade: str) -> tuple[str, str]:
        found = self._world.stage.looking.execute(_ORDER, [trade], prepare=True).fetchone()
        assert found is not None
        return str(found[0]), str(found[1])

    def _rows(self, log: str) -> list[dict[str, object]]:
        return self.store.page(log, prefix="", after=0, limit=10_000)


_ORDER: Final = (
    "SELECT o.reference, o.side FROM orders_order o JOIN orders_trade t ON t.order_reference = o.reference"
    " WHERE t.reference = %s"
)
