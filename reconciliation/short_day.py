"""A short day of traffic, played through REST as an operator would: plain buys, one of each fault, then sells likewise.

The magic words are the sandbox's (docs/sandbox.md). Played once: orders of a day that was cut short are completed by the
next run, under keys of their own.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

_PLAIN = 22
_DEADLINE_SECONDS = 90.0
_PAUSE_SECONDS = 0.25
_ENDED = frozenset({"processed", "failed", "compensated", "manual_review"})
_USERS = ("alice", "bob", "carol", "dave", "erin")


@dataclass(frozen=True, slots=True)
class Planned:
    """One order of the day. `alone`: waited for before the next, since it halts its pool. `asset`: what is given."""

    partner_order_id: str
    pool_id: str
    amount: str
    user_reference: str
    alone: bool = False
    side: str = "buy"
    asset: str = "EUR"


FAULTS = (
    "declined",
    "insufficient",
    "timeout-before",
    "timeout-after",
    "error-before",
    "error-after",
    "reset",
    "slow",
    "pending",
    "pending-declined",
    "garbled",
    "other-amount",
    "other-key",
    "not-found-for-a-while",
    "lost",
    "too-late",
    "pending-twice",
    "pending-reordered",
    "event-early",
)


CREDIT_FAULTS = (
    "declined",
    "timeout-before",
    "timeout-after",
    "error-after",
    "pending",
    "garbled",
    "other-amount",
    "lost",
)


VENUE_FAULTS = (
    "reserve-price-moved",
    "reserve-released",
    "reserve-timeout-before",
    "execute-declined",
    "execute-timeout-after",
    "execute-pending",
    "execute-garbled",
    "execute-lost",
    "execute-returned",
)


def plan() -> list[Planned]:
    """Return the day: plain buys in two pools (one through FX), every fault of the debit, orders of a halted pool, orders at
    an outside venue with its faults; then sells of what was bought, plain and with the faults of a credit.
    """
    pools = ("EUR-USDT", "USD-ETH")
    day = [
        Planned(f"day-{n:03}", pools[n % 2], f"{25 + 17 * n}.{n % 10}0", _USERS[n % len(_USERS)]) for n in range(_PLAIN)
    ]
    day += [
        Planned(f"day-fault-{n:02}", "EUR-USDT", f"{40 + 20 * n}.00", f"magic-{word}.{_USERS[n % len(_USERS)]}")
        for n, word in enumerate(FAULTS)
    ]
    return [
        *day,
        Planned("day-halt-1", "EUR-ETH", "120.00", "magic-halt.alice", alone=True),
        Planned("day-halt-2", "EUR-ETH", "310.00", "magic-reverse-timeout-after.bob", alone=True),
        Planned("day-halt-3", "EUR-ETH", "95.00", "magic-reverse-declined.carol", alone=True),
        Planned("day-halt-4", "EUR-ETH", "480.00", "magic-reverse-error-before.dave", alone=True),
        *_at_the_venue(),
        *_sells(),
    ]


def _at_the_venue() -> list[Planned]:
    """Orders in pools whose trades an outside venue executes: plain ones, and with the faults of each of its legs."""
    reserved = [(f"{n:02}", f"magic-{word}.{_USERS[n % len(_USERS)]}") for n, word in enumerate(VENUE_FAULTS)]
    return [
        *(Planned(f"day-desk-{n}", "EUR-USDT-DESK", f"{60 + 35 * n}.00", user) for n, user in enumerate(_USERS)),
        *(Planned(f"day-desk-usd-{n}", "USD-USDT", f"{45 + 20 * n}.00", user) for n, user in enumerate(_USERS[:3])),
        *(Planned(f"day-desk-fault-{number}", "EUR-USDT-DESK", "80.00", user) for number, user in reserved),
    ]


def _sells() -> list[Planned]:
    """Those who meet a fault of the credit buy first: its word is about the credit alone."""
    sellers = [(f"{n:02}", f"magic-credit-{word}.{_USERS[n % len(_USERS)]}") for n, word in enumerate(CREDIT_FAULTS)]
    return [
        *(Planned(f"day-holds-{number}", "EUR-USDT", "75.00", user) for number, user in sellers),
        *(
            Planned(f"day-sell-{n}", "EUR-USDT", f"{10 + n}.50", user, side="sell", asset="USDT")
            for n, user in enumerate(_USERS)
        ),
        Planned("day-sell-fx", "USD-ETH", "0.01", "alice", side="sell", asset="ETH"),
        *(
            Planned(f"day-sell-fault-{number}", "EUR-USDT", "40.00", user, side="sell", asset="USDT")
            for number, user in sellers
        ),
    ]


class DayInterrupted(Exception):
    """The API answered something that the day cannot go on from."""


class Api:
    """The operator's side of the wire: a base URL and an API key. Not a call of ours to the outside."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=15)
        self._key = key

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        idempotency_key: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", **(headers or {})}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        try:
            self._connection.request(method, path, body=body or None, headers=headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (HTTPException, OSError):
            self._connection.close()
            raise


def subscribe(api: Api, sandbox_url: str, *, run: str) -> None:
    """Create an endpoint at the sandbox's receiver and tell the receiver its secret, unless there is one already."""
    status, content = api.call("GET", "/v1/webhook-endpoints")
    if status != 200 or json.loads(content)["data"]:
        return
    url = f"{sandbox_url.rstrip('/')}/webhooks/operator"
    body = json.dumps({"url": url, "topics": []}).encode()
    status, content = api.call("POST", "/v1/webhook-endpoints", body, idempotency_key=f"short-day:{run}:endpoint")
    if status != 201:
        raise DayInterrupted(f"the endpoint was not created: {status}")
    secret = json.dumps({"name": "operator", "secret": json.loads(content)["secret"]}).encode()
    status, _ = Api(sandbox_url, "").call("POST", "/admin/webhook-secret", secret)
    if status != 200:
        raise DayInterrupted(f"the receiver did not take the secret: {status}")


def connect_inbox(sandbox_url: str, *, place: str, url: str, secret: str) -> None:
    """Tell the sandbox's wallet (`place`: inbox) or bank (bank-inbox) where its events go, and what signs them."""
    body = json.dumps({"url": url, "secret": secret}).encode()
    status, _ = Api(sandbox_url, "").call("POST", f"/admin/{place}", body)
    if status != 200:
        raise DayInterrupted(f"the sandbox did not take the {place}: {status}")


def tell_secret(sandbox_url: str, *, place: str, secret: str) -> None:
    """Tell the sandbox (`place`: wallet-secret or bank-secret) or its venue (secret) what signs our questions to it."""
    status, _ = Api(sandbox_url, "").call("POST", f"/admin/{place}", json.dumps({"secret": secret}).encode())
    if status != 200:
        raise DayInterrupted(f"the sandbox did not take the {place}: {status}")


def connect_venue_inbox(venue_url: str, *, pool: str, url: str, secret: str) -> None:
    """Tell the sandbox's venue where a pool's events go, and what signs them."""
    body = json.dumps({"pool": pool, "url": url, "secret": secret}).encode()
    status, _ = Api(venue_url, "").call("POST", "/admin/inbox", body)
    if status != 200:
        raise DayInterrupted(f"the venue did not take the inbox: {status}")


def play(api: Api, day: list[Planned], *, run: str, after_alone: Callable[[], None], say: Callable[[str], None]) -> int:
    """Submit the planned orders and wait until each has ended or waits for people. Returns how many were accepted."""
    waiting: list[str] = []
    accepted = 0
    bought = False
    for planned in day:
        if planned.side == "sell" and not bought:
            _wait(api, waiting)  # what is sold has to be held
            bought = True
        order = _submit(api, planned, run=run, say=say)
        if order is None:
            continue
        accepted += 1
        waiting.append(order)
        if planned.alone:
            _wait(api, [order])
            after_alone()
    _wait(api, waiting)
    return accepted


def _submit(api: Api, planned: Planned, *, run: str, say: Callable[[str], None]) -> str | None:
    quote = _json(
        api,
        "/v1/quotes",
        {
            "pool_id": planned.pool_id,
            "side": planned.side,
            "source_asset": planned.asset,
            "source_amount": planned.amount,
            "user_reference": planned.user_reference,
            "firm": True,
        },
        key=f"{planned.partner_order_id}:{run}:quote",
        say=say,
    )
    if quote is None:
        return None
    order = _json(
        api,
        "/v1/orders",
        {"quote_id": quote["quote_id"], "partner_order_id": planned.partner_order_id},
        key=f"{planned.partner_order_id}:{run}:accept:v1",
        say=say,
    )
    return None if order is None else str(order["order_id"])


def _json(
    api: Api, path: str, body: dict[str, object], *, key: str, say: Callable[[str], None]
) -> dict[str, object] | None:
    status, content = api.call("POST", path, json.dumps(body).encode(), idempotency_key=key)
    if status in (200, 201, 202):
        found: dict[str, object] = json.loads(content)
        return found
    if 400 <= status < 500:
        say(f"  {key}: {json.loads(content).get('code')}")
        return None
    raise DayInterrupted(f"{path} answered {status}: {content[:200]!r}")


def _wait(api: Api, orders: list[str]) -> None:
    """Ask for each order until all have stopped, for a bounded time."""
    until = time.monotonic() + _DEADLINE_SECONDS
    left = list(orders)
    while left and time.monotonic() < until:
        left = [order for order in left if not _stopped(api, order)]
        if left:
            time.sleep(_PAUSE_SECONDS)


def _stopped(api: Api, order: str) -> bool:
    status, content = api.call("GET", f"/v1/orders/{order}")
    return status == 200 and json.loads(content)["status"] in _ENDED
