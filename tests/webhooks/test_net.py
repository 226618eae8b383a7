"""The relay process: passes on by itself, drains what nobody else does, and stops when told."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.controls import drains, metrics
from ledger.controls.drains import Drain
from tests.servers import TestServers
from tests.webhooks.edge import make_endpoint, queued, record_events
from tests.webhooks.receiver import Answer, Receiver
from webhooks import net
from webhooks.models import Delivery

pytestmark = pytest.mark.usefixtures("database")


class Work:
    """A kind of work with so many due rows, done one by one unless somebody holds it up."""

    def __init__(self, due: int) -> None:
        self.due = due
        self.held = threading.Event()
        self.held.set()
        self.begun = threading.Event()

    def work(self) -> int:
        self.begun.set()
        assert self.held.wait(10)
        if self.due == 0:
            return 0
        self.due -= 1
        return 1

    def depth(self) -> int:
        return self.due


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Work]]:
    """Three kinds beside the relay's, instead of the real ones."""
    made = {"a": Work(3), "b": Work(2), "c": Work(0)}
    registered = {"relay": drains._drains["relay"]}
    registered |= {kind: Drain(kind=kind, work=one.work, depth=one.depth) for kind, one in made.items()}
    monkeypatch.setattr(drains, "_drains", registered)
    yield made
    for one in made.values():
        one.held.set()


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The process's monotonic clock, moved by hand."""
    hands = [1000.0]
    monkeypatch.setattr("webhooks.net.time.monotonic", lambda: hands[0])
    return hands


def test_a_kind_is_drained_when_it_has_been_due_for_some_seconds(kinds: dict[str, Work], moment: list[float]) -> None:
    turning = net.Net()
    turning.turn()
    moment[0] += 1.1
    turning.turn()
    assert (kinds["a"].due, kinds["b"].due) == (3, 2), "somebody may still hear the bell"
    moment[0] += 1.1
    turning.turn()
    for thread in turning._at_work.values():
        thread.join(5)
    assert (kinds["a"].due, kinds["b"].due) == (0, 0)
    assert not kinds["c"].begun.is_set()


def test_a_kind_that_was_done_meanwhile_is_left_alone(kinds: dict[str, Work], moment: list[float]) -> None:
    turning = net.Net()
    turning.turn()
    kinds["a"].due = 0
    moment[0] += 1.1
    turning.turn()
    kinds["a"].due = 5
    moment[0] += 1.1
    turning.turn()
    assert not kinds["a"].begun.is_set()


def test_a_kind_whose_rows_are_taken_in_time_is_left_alone_however_many_are_due(
    kinds: dict[str, Work], moment: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    told = Drain("a", kinds["a"].work, kinds["a"].depth, has_waited=lambda seconds: waited == [seconds])
    monkeypatch.setitem(drains._drains, "a", told)
    turning = net.Net()
    for _ in range(4):
        turning.turn()
        moment[0] += 1.1
    assert not kinds["a"].begun.is_set()
    waited.append(2.0)
    turning.turn()
    turning._at_work["a"].join(5)
    assert kinds["a"].due == 0


def test_a_kind_that_takes_long_holds_up_no_other(kinds: dict[str, Work], moment: list[float]) -> None:
    make_endpoint()
    turning = net.Net()
    kinds["a"].held.clear()
    for _ in range(4):
        turning.turn()
        moment[0] += 1.1
    turning._at_work["b"].join(5)
    assert kinds["a"].begun.is_set()
    assert (kinds["a"].due, kinds["b"].due) == (3, 0)
    record_events("ord_1", range(1, 3))
    turning.turn()
    assert queued() == []
    assert len([thread for thread in threading.enumerate() if thread.name == "drain-a"]) == 1


def test_a_failing_turn_does_not_end_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    turning, stop, turns = net.Net(), threading.Event(), []

    def turn() -> None:
        turns.append(1)
        if len(turns) == 2:
            stop.set()
        raise RuntimeError

    monkeypatch.setattr(turning, "turn", turn)
    monkeypatch.setattr(net, "_PAUSE_AFTER_FAILURE_SECONDS", 0.001)
    turning.run_until(stop)
    assert len(turns) == 2


def test_the_process_relays_and_delivers_without_a_broker_and_stops_at_once(
    servers: TestServers, receiver: Receiver
) -> None:
    """Nobody answers at REDIS_URL; the process alone brings an event to its receiver."""
    quick = make_endpoint(receiver.url())
    make_endpoint(receiver.url("/slow"))
    never = threading.Event()
    receiver.plan("/slow", *[Answer(when=never)] * 3)
    record_events("ord_1", range(1, 4))
    environment = {**os.environ, **servers.environment(), "OUTBOUND_ALLOW": f"127.0.0.1:{receiver.port}"}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "relay"],
        cwd=Path(__file__).resolve().parents[2],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        with receiver.arrived:
            assert receiver.arrived.wait_for(lambda: len(receiver.received) == 4, timeout=30)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert time.monotonic() - began < 3
    finally:
        never.set()
        if process.poll() is None:
            process.kill()
            process.wait(5)
    assert [one.headers["webhook-id"] for one in receiver.at("/hook")] == list(
        Delivery.objects.filter(endpoint_id=quick.pk).order_by("sequence").values_list("event_reference", flat=True)
    )
    assert queued() == []


def test_the_gauges_count_what_waits_and_what_is_lost() -> None:
    make_endpoint()
    record_events("ord_1", range(1, 4))
    found = {one.name: list(one.collect()) for one in metrics.registered() if one.name.startswith("holdfast_")}
    assert found["holdfast_outbox_depth"] == [({}, 3)]
    assert found["holdfast_outbox_oldest_seconds"][0][1] > 0
    drains.drain("relay")
    found = {one.name: list(one.collect()) for one in metrics.registered() if one.name.startswith("holdfast_")}
    assert found["holdfast_outbox_depth"] == found["holdfast_outbox_dead_letters"] == [({}, 0)]
    assert found["holdfast_outbox_oldest_seconds"] == [({}, 0)]
    assert found["holdfast_deliveries_pending"] == [({}, 3)]
    assert found["holdfast_deliveries_dead"] == found["holdfast_endpoints_disabled"] == [({}, 0)]
