"""The streams' own process under granian: real connections, a killed Redis, a key and a stop."""

import http.client
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.local import binaries
from config.local import valkey as valkey_server
from config.local.ports import free_port
from ledger.controls import drains
from tests.orders.conftest import wallet  # noqa: F401
from tests.rest.calls import ordered
from tests.rest.conftest import Shop, pools, shop  # noqa: F401
from tests.servers import TestServers
from tests.webhooks.stream_reader import Event, parse

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.processes]

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def granian(servers: TestServers, **settings: str) -> Iterator[int]:
    """Run the streams' process; yield its port."""
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)),
            *("--workers", "1", "--no-ws", "--workers-kill-timeout", "5", "--log-level", "warning"),
            "config.local.streams:application",
        ],
        cwd=ROOT,
        env={**os.environ, **servers.environment(), **settings},
    )
    try:
        _wait_until(lambda: _status(port, "/readyz") == 200, seconds=30)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) in (0, -signal.SIGTERM), "it did not stop when told"


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _wait_until(holds: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


class Listener:
    """A reader on a connection of its own, read by a thread until the server ends it."""

    def __init__(self, port: int, path: str, key: str, *, last_event_id: str = "", reads: bool = True) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        self._connection.request("GET", path, headers=headers)
        self.answer = self._connection.getresponse()
        self.octets = b""
        self.is_over = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        if reads:
            self._thread.start()

    def _read(self) -> None:
        try:
            while piece := self.answer.read1(65536):
                self.octets += piece
            self.is_over = True
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            return

    @property
    def events(self) -> list[Event]:
        return parse(self.octets)

    def until(self, count: int, *, seconds: float = 15.0) -> list[Event]:
        _wait_until(lambda: len(self.events) >= count, seconds=seconds)
        return self.events

    def until_over(self) -> list[Event]:
        self._thread.join(20)
        assert self.is_over
        return self.events

    def close(self) -> None:
        self._connection.close()


ORDER = [
    "order.queued",
    "order.processing",
    "order.operator_debit_pending",
    "order.operator_debited",
    "order.processed",
]


def test_an_order_is_watched_from_its_birth_to_its_end_and_its_reader_can_come_again(
    servers: TestServers,
    valkey: str,
    shop: Shop,  # noqa: F811
) -> None:
    api = shop.key()
    order = ordered(api, key="streams:accept", partner_order_id="streams")["order_id"]
    path = f"/v1/orders/{order}/events"
    with granian(servers) as port:
        assert _status(port, path) == 401
        watching = Listener(port, path, api.secret)
        (first,) = watching.until(1)
        assert first.topic == "order.queued"
        drains.drain_all()
        events = watching.until_over()
        assert [event.topic for event in events] == ORDER
        assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
        assert events[-1].message["data"]["terminal"] is True
        for place in range(4):
            again = Listener(port, path, api.secret, last_event_id=events[place].id)
            assert [event.id for event in again.until_over()] == [event.id for event in events[place + 1 :]]
        over = Listener(port, path, api.secret, last_event_id=events[-1].id)
        assert over.answer.status == 204

        served = api.get(path)
        assert parse(served.body) == events[-1:], "the web's answer is another"
        assert parse(api.get(path, **{"Last-Event-ID": events[1].id}).body) == events[2:]
        assert api.get(path, **{"Last-Event-ID": events[-1].id}).status == 204
        assert api.get(path, **{"Last-Event-ID": "evt_none"}).code == "malformed_cursor"


def test_with_redis_killed_a_stream_is_slower_and_not_silent(
    servers: TestServers,
    shop: Shop,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Redis is killed under open streams and comes back: each change comes, once and in order, within seconds."""
    api = shop.key()
    order = ordered(api, key="streams:accept", partner_order_id="streams")["order_id"]
    later = ordered(api, key="streams:accept:2", partner_order_id="streams-2")["order_id"]
    port, password = free_port(), secrets.token_hex(12)
    redis = valkey_server.RunningValkey(
        valkey_server.Valkey(binary=binaries.valkey_server(), port=port, password=password), folder=tmp_path
    )
    redis.start()
    try:
        with granian(servers, REDIS_URL=redis.server.url) as streams:
            watching = [Listener(streams, f"/v1/orders/{one}/events", api.secret) for one in (order, later)]
            for one in watching:
                one.until(1)
            redis.stop()
            began = time.monotonic()
            drains.drain_all()
            for one in watching:
                assert [event.topic for event in one.until_over()] == ORDER
            assert time.monotonic() - began < 10
            redis.start()
            another = ordered(api, key="streams:accept:3", partner_order_id="streams-3")["order_id"]
            back = Listener(streams, f"/v1/orders/{another}/events", api.secret)
            back.until(1)
            drains.drain_all()
            assert [event.topic for event in back.until_over()] == ORDER
    finally:
        redis.stop()


def test_readers_that_do_not_read_hold_up_nobody_and_a_stop_ends_all(
    servers: TestServers,
    valkey: str,
    shop: Shop,  # noqa: F811
) -> None:
    api = shop.key()
    order = ordered(api, key="streams:accept", partner_order_id="streams")["order_id"]
    path = f"/v1/orders/{order}/events"
    with granian(servers) as port:
        stuck = [Listener(port, path, api.secret, reads=False) for _ in range(50)]
        quick = [Listener(port, path, api.secret) for _ in range(100)]
        for one in quick:
            one.until(1)
        drains.drain_all()
        for one in quick:
            assert [event.topic for event in one.until_over()] == ORDER
        other = ordered(api, key="streams:accept:2", partner_order_id="streams-2")["order_id"]
        waiting = Listener(port, f"/v1/orders/{other}/events", api.secret)
        waiting.until(1)
    waiting.until_over()
    for one in [*stuck, *quick, waiting]:
        one.close()
