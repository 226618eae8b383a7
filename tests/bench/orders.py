"""F7: orders from quote to webhook through the sandbox, drained."""

import json
import threading
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psycopg

from config.local.stack import LocalStack
from reconciliation.short_day import Api
from tests.bench.cpu import Spent
from tests.bench.rows import Row

_ORDERS = 600
_WARM_UP = 40
_CLIENTS = 4
_DEADLINE = 75.0
_MOST_QUOTES = 50
_MARGIN = 1
"""Basis points: enough for the orders of other clients between a quote and its acceptance; one that is overtaken asks again."""


def quote_to_webhook(stack: LocalStack, *, anchor: float) -> Row:
    """Submit orders from four clients; stop the clock when each is processed and its webhook has arrived."""
    key = str(stack.kept()["api_key"])
    _subscribe(stack, key)
    stack.answer_of("quote_margin", "EUR-USDT", "--environment", "test", "--basis-points", str(_MARGIN))
    _warm_up(stack, key)
    overtaken: list[int] = []
    spent = Spent(stack)
    began = time.monotonic()
    threads = [
        threading.Thread(target=_client, args=(stack.url, key, number, began, overtaken)) for number in range(_CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    accepted = time.monotonic() - began
    delivered = _wait(stack, began, wanted=_WARM_UP + _ORDERS) - _WARM_UP
    seconds = time.monotonic() - began
    rate = delivered / seconds
    words = spent.in_words(each=max(delivered, 1))
    return Row(
        "F7",
        rate,
        "orders/s",
        anchor,
        rate / anchor,
        "≥ 100/s",
        f"{delivered} of {_ORDERS} drained in {seconds:.1f} s (accepted in {accepted:.1f} s, {_CLIENTS} clients, "
        f"{sum(overtaken)} quotes overtaken at a margin of {_MARGIN} basis point); {words}; "
        "baseline: single-row INSERT commits at 16",
    )


def _warm_up(stack: LocalStack, key: str) -> None:
    """Have some orders go all the way, so that every process has started before the clock does, and done this before."""
    api = Api(stack.url, key)
    for n in range(_ORDERS, _ORDERS + _WARM_UP):
        assert _submitted(api, n, 0)
    assert _wait(stack, time.monotonic(), wanted=_WARM_UP) == _WARM_UP, "no worker took the first orders to their end"


def _subscribe(stack: LocalStack, key: str) -> None:
    """An endpoint that wants the last event of each order, at the sandbox's receiver."""
    sandbox = f"http://127.0.0.1:{stack.ports.sandbox}"
    body = json.dumps({"url": f"{sandbox}/webhooks/bench", "topics": ["order.processed"]}).encode()
    status, content = Api(stack.url, key).call("POST", "/v1/webhook-endpoints", body, idempotency_key="bench:endpoint")
    assert status == 201, content
    parts = urlsplit(sandbox)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request(
        "POST", "/admin/webhook-secret", json.dumps({"name": "bench", "secret": json.loads(content)["secret"]})
    )
    assert connection.getresponse().status == 200


def _client(url: str, key: str, number: int, began: float, overtaken: list[int]) -> None:
    api = Api(url, key)
    for n in range(number, _ORDERS, _CLIENTS):
        tries = 0
        while time.monotonic() - began <= _DEADLINE and not _submitted(api, n, tries):
            tries += 1
            assert tries < _MOST_QUOTES, f"order {n} found no price that stood"
        overtaken.append(tries)


def _submitted(api: Api, n: int, tries: int) -> bool:
    """Ask for a quote and submit on it; False when another client's order has moved the price in between."""
    quote = json.dumps(
        {
            "pool_id": "EUR-USDT",
            "side": "buy",
            "source_asset": "EUR",
            "source_amount": "10.00",
            "user_reference": f"bench{n % 50}",
            "firm": True,
        }
    ).encode()
    status, content = api.call("POST", "/v1/quotes", quote, idempotency_key=f"bench:{n}:{tries}:quote")
    assert status == 201, content
    order = json.dumps({"quote_id": json.loads(content)["quote_id"], "partner_order_id": f"bench-{n}"}).encode()
    status, content = api.call("POST", "/v1/orders", order, idempotency_key=f"bench:{n}:{tries}:accept")
    if status == 202:
        return True
    assert json.loads(content).get("code") == "price_moved", content
    return False


def _wait(stack: LocalStack, began: float, *, wanted: int) -> int:
    with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
        while True:
            row = connection.execute(
                "SELECT count(*) FROM webhooks_delivery WHERE topic = 'order.processed' AND state = 'delivered'"
            ).fetchone()
            delivered = int(row[0]) if row else 0
            if delivered >= wanted or time.monotonic() - began >= _DEADLINE:
                return delivered
            time.sleep(0.05)
