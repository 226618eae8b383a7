"""Several relay processes at once, killed at random with kill -9: nothing is lost, doubled or out of order."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import pytest

from ledger.models import Event, Move, QueuedEvent
from tests.servers import TestServers
from tests.threads import raise_first
from tests.webhooks.edge import column, make_endpoint, record_events
from webhooks.models import Delivery, FeedEntry

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.processes]

_ROOT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_PATIENCE_SECONDS: Final = 60.0
_KILLS: Final = 8

# A relay that does nothing else, slowly enough to be killed in the middle of a batch, and fails at random.
_RELAY: Final = """
import os, random, sys, time
import django; django.setup()
from ledger.controls import drains
from webhooks import routing
chance = random.Random(os.getpid())
def listener(event):
    time.sleep(chance.random() / 200)
    if chance.random() < 0.02:
        raise RuntimeError("by chance")
routing.listen("order.*", listener)
until = time.monotonic() + float(sys.argv[1])
print("ready", flush=True)
while time.monotonic() < until:
    if drains.drain("relay", for_seconds=1) == 0:
        time.sleep(0.02)
"""


class Relays:
    """A handful of relay processes; one that is killed is replaced."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self.running: list[subprocess.Popen[str]] = []

    def start(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", _RELAY, str(_PATIENCE_SECONDS)],
            cwd=_ROOT,
            env={
                **os.environ,
                **self._environment,
                "DOORBELL": "ledger.controls.bell.SilentBell",
                "LOG_LEVEL": "CRITICAL",
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)

    def wait_until_ready(self) -> None:
        for process in self.running:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready"

    def kill_one(self, chance: random.Random) -> None:
        victim = self.running.pop(chance.randrange(len(self.running)))
        victim.send_signal(signal.SIGKILL)
        self._end(victim)
        self.start()

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            self._end(process)

    def _end(self, process: "subprocess.Popen[str]") -> None:
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def relays(servers: TestServers, *, count: int) -> Iterator[Relays]:
    made = Relays(servers.environment())
    try:
        for _ in range(count):
            made.start()
        made.wait_until_ready()
        yield made
    finally:
        made.stop()


def test_every_event_is_passed_on_once_and_in_order_when_relays_are_killed(
    servers: TestServers, run_threads: Callable[..., Sequence[Any]]
) -> None:
    endpoint = make_endpoint()
    aggregates = [f"ord_{number}" for number in range(10)]
    chance = random.Random(7)

    def write() -> None:
        for first in range(1, 31, 3):
            for aggregate in aggregates:
                record_events(aggregate, range(first, first + 3))
            time.sleep(0.05)

    with relays(servers, count=3) as running:

        def kill() -> None:
            for _ in range(_KILLS):
                time.sleep(0.25)
                running.kill_one(chance)

        raise_first(run_threads(write, kill, timeout=60))
        deadline = time.monotonic() + _PATIENCE_SECONDS / 2
        while QueuedEvent.objects.exists():
            assert time.monotonic() < deadline, f"{QueuedEvent.objects.count()} events were not passed on"
            time.sleep(0.05)

    assert Event.objects.count() == 300
    for aggregate in aggregates:
        born = column("SELECT sequence FROM webhooks_delivery WHERE aggregate = %s ORDER BY id", aggregate)
        assert born == list(range(1, 31)), aggregate
        places = column(
            "SELECT e.sequence FROM webhooks_feedentry f JOIN ledger_event e ON e.id = f.event_id"
            " WHERE e.aggregate = %s ORDER BY f.position",
            aggregate,
        )
        assert places == list(range(1, 31)), aggregate
    assert Delivery.objects.filter(endpoint_id=endpoint.pk).count() == 300
    assert FeedEntry.objects.count() == 300
    assert Move.objects.filter(machine="delivery").count() == 300


def test_nothing_is_passed_on_before_its_commit(servers: TestServers) -> None:
    """The writer's transaction stays open while relays look; what it rolls back is never seen."""
    make_endpoint()
    moves = (
        '[{"operator_id": 71, "machine": "order", "subject": "ord_open", "sequence": 1, "from_state": "",'
        ' "to_state": "queued", "actor": "t", "cause": "t", "request_id": "", "event_reference": "",'
        ' "event": {"reference": "evt_open", "topic": "order.queued", "payload": {}, "public": true}}]'
    )
    with relays(servers, count=2), psycopg.connect(servers.url("holdfast_app")) as writer:
        writer.execute("SELECT record_moves('test', %s::jsonb, clock_timestamp())", [moves])
        record_events("ord_seen", range(1, 2))
        _until_delivered(1)
        assert list(Delivery.objects.values_list("aggregate", flat=True)) == ["ord_seen"]
        writer.rollback()
        record_events("ord_seen", range(2, 3))
        _until_delivered(2)
        assert set(Delivery.objects.values_list("aggregate", flat=True)) == {"ord_seen"}
        writer.execute("SELECT record_moves('test', %s::jsonb, clock_timestamp())", [moves])
        writer.commit()
        _until_delivered(3)
    assert Delivery.objects.filter(aggregate="ord_open").count() == 1


def _until_delivered(count: int) -> None:
    deadline = time.monotonic() + 20
    while Delivery.objects.count() < count:
        assert time.monotonic() < deadline, f"{Delivery.objects.count()} of {count}"
        time.sleep(0.02)
