"""Delivery latency: from the recording of an event to its receipt at a local receiver, at a steady rate."""

import json
import time
from datetime import datetime
from http.client import HTTPConnection

import psycopg

from config.local.stack import LocalStack
from reconciliation.short_day import Api
from tests.bench.rows import Row

_EVENTS = 400
_PER_SECOND = 20
_BARE = 200
_DEADLINE = 60.0
_NAME = "latency"


def recorded_to_received(stack: LocalStack) -> list[Row]:
    """Make quotes at a steady rate; compare each event's instant with the instant at which the receiver had it.

    The instant is read before the transaction commits, so that the figures hold a little more than the delivery.
    """
    key = str(stack.kept()["api_key"])
    api = Api(stack.url, key)
    _subscribe(stack, api)
    began = time.monotonic()
    for number in range(_EVENTS):
        time.sleep(max(0.0, began + number / _PER_SECOND - time.monotonic()))
        _quote(api, number)
    latencies = sorted(_latencies(stack))
    bare = sorted(_bare(stack))
    conditions = (
        f"{len(latencies)} of {_EVENTS} events at {_PER_SECOND}/s, {_failed(stack)} attempts failed;"
        " baseline: the same POST by itself, connection kept alive"
    )
    return [
        Row(
            f"delivery {name}",
            _at(latencies, share),
            "ms",
            _at(bare, share),
            _at(latencies, share) / _at(bare, share),
            "",
            conditions,
        )
        for name, share in (("p50", 0.50), ("p99", 0.99))
    ]


def _subscribe(stack: LocalStack, api: Api) -> None:
    body = json.dumps({"url": f"{_sandbox(stack)}/webhooks/{_NAME}", "topics": ["quote.active"]}).encode()
    status, content = api.call("POST", "/v1/webhook-endpoints", body, idempotency_key="bench:latency")
    assert status == 201, content


def _quote(api: Api, number: int) -> None:
    quote = {
        "pool_id": "EUR-USDT",
        "side": "buy",
        "source_asset": "EUR",
        "source_amount": "10.00",
        "user_reference": f"bench{number % 50}",
        "firm": True,
    }
    status, content = api.call(
        "POST", "/v1/quotes", json.dumps(quote).encode(), idempotency_key=f"bench:latency:{number}"
    )
    assert status == 201, content


def _latencies(stack: LocalStack) -> list[float]:
    """Return the milliseconds to each event's first receipt, once the receiver has all or time is up."""
    deadline = time.monotonic() + _DEADLINE
    found: dict[str, float] = {}
    while len(found) < _EVENTS and time.monotonic() < deadline:
        time.sleep(0.25)
        for row in reversed(_received(stack)):
            recorded = datetime.fromisoformat(json.loads(row["body"])["timestamp"])
            received = datetime.fromisoformat(row["received_at"])
            found[row["webhook_id"]] = (received - recorded).total_seconds() * 1000
    return list(found.values())


def _failed(stack: LocalStack) -> int:
    """Count the attempts that failed: each holds its event back by the schedule's first delay."""
    with psycopg.connect(stack.superuser_url()) as connection:
        row = connection.execute("SELECT count(*) FROM webhooks_deliveryattempt WHERE failure <> ''").fetchone()
    return int(row[0]) if row else 0


def _received(stack: LocalStack) -> list[dict[str, str]]:
    connection = HTTPConnection("127.0.0.1", stack.ports.sandbox, timeout=10)
    connection.request("GET", f"/inspect/webhooks?prefix={_NAME}&limit=1000")
    found: list[dict[str, str]] = json.loads(connection.getresponse().read())["webhooks"]
    connection.close()
    return found


def _bare(stack: LocalStack) -> list[float]:
    """Return the milliseconds of bare POSTs to the same receiver."""
    connection = HTTPConnection("127.0.0.1", stack.ports.sandbox, timeout=10)
    found = []
    for _ in range(_BARE):
        began = time.monotonic()
        connection.request("POST", "/webhooks/bare", b"{}", {"content-type": "application/json"})
        connection.getresponse().read()
        found.append((time.monotonic() - began) * 1000)
    connection.close()
    return found


def _sandbox(stack: LocalStack) -> str:
    return f"http://127.0.0.1:{stack.ports.sandbox}"


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
