"""The operator's servers: they ask for quotes, submit orders, and repeat what was not answered, with the same key.

Each request takes the path of REST below its views: the claim, the effect behind its savepoint, the kept answer (I1).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from ledger import balances
from ledger.controls import request_context
from ledger.controls.claims import IdempotencyConflict
from ledger.controls.refusals import Refusal
from ledger.controls.rest import idempotency, notes
from ledger.controls.rest.answers import answer
from ledger.controls.rest.idempotency import KeyRule
from orders.operations.cancel_quote import cancel_quote
from orders.operations.create_quote import create_quote
from orders.operations.submit_order import submit_order
from tests.simulation.scene import MARKET, USERS

if TYPE_CHECKING:
    from tests.simulation.world import World

_FACTORY = RequestFactory()


@dataclass(slots=True)
class _Request:
    """One request as it was first sent, and the answer if one came."""

    key: str
    path: str
    content: dict[str, Any]
    work: Callable[[datetime], HttpResponse]
    answer: bytes | None = None


class Client:
    """One server of the operator's."""

    rest = timedelta(seconds=25)
    weight = 1

    def __init__(self, world: "World", number: int) -> None:
        self.name = f"client {number}"
        self._world = world
        self._sent: list[_Request] = []
        self._number = 0
        self._quotes: list[dict[str, Any]] = []

    def turn(self) -> None:
        drawn = self._world.chance.random()
        if self._sent and drawn < 0.15:
            self._again(self._world.chance.choice(self._sent))
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

        def work(now: datetime) -> HttpResponse:
            made = create_quote(caller=caller, firm=True, now=now, **wanted)
            return answer({"quote_id": made.reference, "user_reference": made.user_reference}, status=201)

        said = self._send("/v1/quotes", wanted, work)
        if said.status_code != 201:
            return None
        quote: dict[str, Any] = json.loads(said.content)
        self._quotes.append(quote)
        return quote

    def _order(self, quote: dict[str, Any]) -> None:
        partner = f"{self.name.replace(' ', '-')}-{len(self._sent)}"
        caller = self._world.scene.caller
        key = self._next_key()

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

        self._send("/v1/orders", {"quote_id": quote["quote_id"], "partner_order_id": partner}, work, key=key)

    def _cancel(self, quote: dict[str, Any]) -> None:
        caller = self._world.scene.caller

        def work(now: datetime) -> HttpResponse:
            cancelled = cancel_quote(caller=caller, quote_reference=quote["quote_id"], now=now)
            return answer({"quote_id": cancelled.reference, "status": cancelled.state})

        self._send(f"/v1/quotes/{quote['quote_id']}", {}, work)

    def _again(self, request: _Request) -> None:
        """Send it again with the same key: the same answer; or another with its key: a conflict, and nothing is done."""
        world = self._world
        if world.chance.random() < 0.15:
            world.met("client", "another request with the same key")
            try:
                said = self._carry(_Request(request.key, request.path, {"other": True}, _never))
            except IdempotencyConflict:
                return
            if request.answer is not None:
                world.found("I1", request.key, f"another request was answered {said.status_code}")
            return
        world.met("client", "the same again" if request.answer else "again, unanswered")
        said = self._carry(request)
        if request.answer is not None and (said.content != request.answer or idempotency.REPLAYED not in said.headers):
            world.found("I1", request.key, f"answered {request.answer!r} first, then {said.content!r}")
        request.answer = said.content

    def _send(
        self, path: str, content: dict[str, Any], work: Callable[[datetime], HttpResponse], *, key: str = ""
    ) -> HttpResponse:
        request = _Request(key or self._next_key(), path, content, work)
        self._sent.append(request)
        said = self._carry(request)
        request.answer = said.content
        return said

    def _carry(self, request: _Request) -> HttpResponse:
        world = self._world
        asked: HttpRequest = _FACTORY.post(
            request.path, json.dumps(request.content), "application/json", HTTP_IDEMPOTENCY_KEY=request.key
        )
        try:
            with request_context.bound(request_id=f"req-{request.key}"):
                said = idempotency.answer_once(
                    request=asked,
                    caller=world.scene.caller,
                    route=request.path,
                    rule=KeyRule.REQUIRED,
                    work=request.work,
                    note=notes.Note(),
                )
        except Refusal as refusal:
            world.note(self.name, f"{request.path} {request.key}: {refusal.code}")
            raise
        world.note(self.name, f"{request.path} {request.key}: {said.status_code} {said.content.decode()[:60]}")
        return said

    def _next_key(self) -> str:
        self._number += 1
        return f"{self.name.replace(' ', '-')}:{self._number}"

    def _wanted(self) -> dict[str, Any]:
        """Draw what is wanted: mostly a buy; a sell of what is held; a redemption of shares when there are some."""
        chance = self._world.chance
        user = chance.choice(USERS)
        pools = ["EUR-USDT", "EUR-ETH", "USD-ETH"]
        markets = [f"{MARKET}-YES", f"{MARKET}-NO"] if self._world.terms.has_market else []
        pool = chance.choice([*pools, *markets, *markets])
        asset = pool.rpartition("-")[2]
        place = (f"positions:acme:{MARKET}.{user}" if pool in markets else f"positions:acme:{user}", asset)
        held = 0
        if chance.random() < 0.7:
            read = balances.read(environment="test", accounts=[place])
            held = read[place].available if place in read else 0
        if held <= 0 or chance.random() < 0.3:
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
    from ledger import assets

    return assets.text(minor, asset)


def _never(now: datetime) -> HttpResponse:
    return answer({"done": "with a key that belongs to another request"}, status=418)
