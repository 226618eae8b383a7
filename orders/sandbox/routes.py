"""Which part of the venue answers a request."""

from urllib.parse import unquote

from orders.sandbox import asks
from orders.sandbox.inspection import Inspection
from orders.sandbox.instructions import Instructions
from orders.sandbox.news import Messenger
from orders.sandbox.store import Store
from orders.sandbox.venue import Venue
from wallets.sandbox.clock import Clock
from wallets.sandbox.messages import Answer, Request, answered, refused


class Sandbox:
    """The venue over one store."""

    def __init__(
        self,
        store: Store,
        wall: Clock,
        *,
        pending_seconds: float = 5,
        hidden_seconds: float = 5,
        returned_seconds: float = 86_400,
    ) -> None:
        self.venue = Venue(
            store,
            wall,
            pending_seconds=pending_seconds,
            hidden_seconds=hidden_seconds,
            returned_seconds=returned_seconds,
        )
        self.messenger = Messenger(store, self.venue, wall)
        self._inspection = Inspection(store, self.venue)
        self._instructions = Instructions(store, self.venue)

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        place, _, rest = request.path.removeprefix("/").partition("/")
        match request.method, place:
            case "POST", "quotes" if not rest:
                return self.venue.quote(request)
            case "POST", "reserve" | "execute" | "release" if not rest:
                assert place in asks.OPERATIONS
                return self.venue.ask(place, request)
            case "GET", "operations" if rest and "/" not in rest:
                return self.venue.look_up(unquote(rest), request)
            case "POST", "admin":
                return self._instructions.follow(rest, request)
            case "GET", "inspect":
                return self._inspection.log(rest, request)
            case "GET", "livez" if not rest:
                return answered(200, {"status": "ok"})
            case "GET", "" if not rest:
                return self._inspection.page()
            case _:
                return refused(404, "no_such_page", "There is no such page.")
