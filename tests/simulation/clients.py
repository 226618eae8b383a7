"""The operator's servers that trade: they ask for quotes and submit orders."""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse

from ledger import assets, balances
from ledger.controls.rest.answers import answer
from orders.operations.cancel_quote import cancel_quote
from orders.operations.create_quote import create_quote
from orders.operations.submit_order import submit_order
from orders.venue_port import Offer
from tests.simulation.asking import Asking, WithPrice
from tests.simulation.scene import MARKET, USERS
from tests.simulation.terms import REVIEW, VENUE
from tests.simulation.venues import LANES

if TYPE_CHECKING:
    from tests.simulation.world import World


class Client(Asking):
    """One server of the operator's."""

    rest = timedelta(seconds=25)
    weight = 1

    def __init__(self, world: "World", number: int) -> None:
        super().__init__(world, f"client {number}")
        self._quotes: list[dict[str, Any]] = []

    def turn(self) -> None:
        drawn = self._world.chance.random()
        waits = any(request.answer is None for request in self.sent)
        if self.sent and drawn < (0.5 if waits else 0.15):
            self.send_again()
        elif self._quotes and drawn < 0.2:
            self._cancel(self._world.chance.choice(self._quotes))
        elif self._quotes and drawn < 0.25:
            self._order(self._world.chance.choice(self._quotes))
        else:
            quote = self._quote()
            if quote is not None and self._world.chance.random() < 0.9:
                self._order(quote)

    def _quote(self) -> dict[str, Any] | None:
        wanted = self._wanted()
        caller = self._world.scene.caller

        def work(now: datetime, offer: Offer | None) -> HttpResponse:
            made = create_quote(caller=caller, firm=True, now=now, offer=offer, **wanted)
            return answer({"quote_id": made.reference, "user_reference": made.user_reference}, status=201)

        said = self.send("/v1/quotes", wanted, WithPrice(work))
        if said.status_code != 201:
            return None
        quote: dict[str, Any] = json.loads(said.content)
        self._quotes.append(quote)
        return quote

    def _order(self, quote: dict[str, Any]) -> None:
        partner = f"{self.name.replace(' ', '-')}-{len(self.sent)}"
        caller = self._world.scene.caller
        key = self.next_key()

        def work(now: datetime) -> HttpResponse:
            order = submit_order(
                caller=caller,
                quote_reference=quote["quote_id"],
                partner_order_id=partner,
                user_reference=quote["user_reference"],
                idempotency_key=key,
                now=now,
            )
            return answer({"order_id": order.reference, "status": order.state}, status=202)

        self.send("/v1/orders", {"quote_id": quote["quote_id"], "partner_order_id": partner}, work, key=key)

    def _cancel(self, quote: dict[str, Any]) -> None:
        caller = self._world.scene.caller

        def work(now: datetime) -> HttpResponse:
            cancelled = cancel_quote(caller=caller, quote_reference=quote["quote_id"], now=now)
            return answer({"quote_id": cancelled.reference, "status": cancelled.state})

        self.send(f"/v1/quotes/{quote['quote_id']}", {}, work)

    def _wanted(self) -> dict[str, Any]:
        """Draw what is wanted: mostly a buy; a sell of what is held; a redemption of shares when there are some."""
        chance = self._world.chance
        user = chance.choice(USERS)
        pools = ["EUR-USDT", "EUR-ETH", "USD-ETH"]
        if self._world.terms.theme == VENUE:
            pools = [lane.pool for lane in LANES]
        markets = [f"{MARKET}-YES", f"{MARKET}-NO"] if self._world.terms.has_market else []
        pool = chance.choice([*pools, *markets, *markets])
        asset = pool.rpartition("-")[2]
        place = (f"positions:acme:{MARKET}.{user}" if pool in markets else f"positions:acme:{user}", asset)
        held = 0
        if chance.random() < (0.95 if self._world.terms.theme == REVIEW else 0.7):
            read = balances.read(environment="test", accounts=[place])
            held = read[place].available if place in read else 0
        if held <= 0 or chance.random() < (0.4 if self._world.terms.theme == REVIEW else 0.3):
            cents = chance.choice((chance.randrange(250, 5_000), chance.randrange(5_000, 60_000)))
            return _terms(pool, "buy", "EUR", f"{cents // 100}.{cents % 100:02}", user)
        side = "redemption" if pool in markets and chance.random() < 0.6 else "sell"
        sold = chance.choice((held, held // 2 or held, held // 3 or held))
        return _terms(pool, side, asset, _text(sold, asset), user)


def _terms(pool: str, side: str, asset: str, amount: str, user: str) -> dict[str, Any]:
    return {
        "pool_code": pool,
        "side": side,
        "source_asset": asset,
        "source_amount": amount,
        "user_reference": user,
    }


def _text(minor: int, asset: str) -> str:
    return assets.text(minor, asset)
