"""A slow receiver delays nobody; a run of one lane stays in one hand; concurrent workers send each once."""

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ledger.controls import bell, drains
from tests.threads import raise_first
from tests.webhooks.edge import make_endpoint, record_events
from tests.webhooks.receiver import Answer, Receiver
from webhooks import claiming, delivery
from webhooks.left_lanes import left
from webhooks.models import Delivery

pytestmark = pytest.mark.usefixtures("database")


def test_a_slow_receiver_delays_nobody(receiver: Receiver, run_threads: Callable[..., Sequence[Any]]) -> None:
    """While one endpoint's answers are awaited, what is recorded afterwards reaches another endpoint."""
    make_endpoint(receiver.url("/slow"), operator_id=81)
    make_endpoint(receiver.url("/quick"), operator_id=82)
    answered = threading.Event()
    receiver.plan("/slow", *[Answer(when=answered)] * 100)
    for number in range(40):
        record_events(f"ord_slow_{number}", range(1, 2), operator_id=81)
    drains.drain("relay")

    def meanwhile() -> int:
        receiver.wait_for(claiming.PER_ENDPOINT, path="/slow")
        for number in range(30):
            record_events(f"ord_quick_{number}", range(1, 4), operator_id=82)
        drains.drain("relay")
        receiver.wait_for(90, path="/quick")
        reached = len(receiver.at("/slow"))
        answered.set()
        return reached

    ends = raise_first(run_threads(lambda: drains.drain("deliveries"), meanwhile))
    assert ends[1] == claiming.PER_ENDPOINT, "more was leased for the slow endpoint than it may have"
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert len(receiver.at("/slow")) == 40
    assert ends[0] == 130


def test_many_slow_receivers_together_delay_nobody(
    receiver: Receiver, run_threads: Callable[..., Sequence[Any]]
) -> None:
    """Six endpoints that answer at last, each with as much on its way as it may have, leave room for a seventh."""
    answered = threading.Event()
    for number in range(6):
        make_endpoint(receiver.url(f"/slow{number}"), operator_id=90 + number)
        receiver.plan(f"/slow{number}", *[Answer(when=answered)] * 100)
        for order in range(20):
            record_events(f"ord_slow_{number}_{order}", range(1, 2), operator_id=90 + number)
    make_endpoint(receiver.url("/quick"), operator_id=82)
    drains.drain("relay")

    def meanwhile() -> None:
        try:
            for number in range(6):
                receiver.wait_for(claiming.PER_ENDPOINT, path=f"/slow{number}")
            record_events("ord_quick", range(1, 4), operator_id=82)
            drains.drain("relay")
            receiver.wait_for(3, path="/quick")
        finally:
            answered.set()

    raise_first(run_threads(lambda: drains.drain("deliveries"), meanwhile))
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert len(receiver.received) == 123


class CountingBell:
    def __init__(self) -> None:
        self.rung: list[str] = []

    def ring(self, kind: str) -> None:
        self.rung.append(kind)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> CountingBell:
    """Leave a silent receiver's lanes to themselves soon, and hear the bell."""
    monkeypatch.setattr(delivery, "_PATIENCE_SECONDS", 0.2)
    counting = CountingBell()
    monkeypatch.setattr(bell, "_installed", counting)
    return counting


def test_a_drain_does_not_wait_for_a_silent_receiver_and_one_worker_does_for_all(
    receiver: Receiver, impatient: CountingBell
) -> None:
    """The answer that comes at last is written down, and what waited behind it is rung for."""
    slow = make_endpoint(receiver.url("/slow"), operator_id=81)
    make_endpoint(receiver.url("/quick"), operator_id=82)
    answered = threading.Event()
    receiver.plan("/slow", *[Answer(when=answered)] * 40)
    for number in range(20):
        record_events(f"ord_slow_{number}", range(1, 3), operator_id=81)
    drains.drain("relay")
    try:
        assert drains.drain("deliveries") == 0
        on_their_way = left.number
        assert 0 < on_their_way <= claiming.PER_ENDPOINT
        receiver.wait_for(on_their_way, path="/slow")
        delivery._PATIENCE_SECONDS = 30.0  # type: ignore[misc]  # only what was left before is left
        record_events("ord_quick", range(1, 4), operator_id=82)
        drains.drain("relay")
        impatient.rung.clear()
        assert drains.drain("deliveries") == 3
        assert len(receiver.at("/quick")) == 3
        assert (
            Delivery.objects.filter(endpoint_id=slow.pk, state="pending", attempts=1).exclude(lease_token="").exists()
        )
    finally:
        answered.set()
    assert left.wait(seconds=10)
    reached = len(receiver.at("/slow"))
    assert Delivery.objects.filter(endpoint_id=slow.pk, state="delivered").count() == reached
    assert "deliveries" in impatient.rung
    assert drains.drain("deliveries") == 40 - reached
    assert Delivery.objects.filter(state="pending").count() == 0


def test_a_lane_that_was_left_keeps_its_order_and_what_fails_in_it_is_tried_again(
    receiver: Receiver, impatient: CountingBell
) -> None:
    make_endpoint(receiver.url("/slow"))
    answered = threading.Event()
    receiver.plan("/slow", Answer(when=answered), Answer(500))
    record_events("ord_1", range(1, 4))
    drains.drain("relay")
    try:
        drains.drain("deliveries")
    finally:
        answered.set()
    assert left.wait(seconds=10)
    assert list(Delivery.objects.order_by("sequence").values_list("state", "attempts", "lease_token")) == [
        ("delivered", 1, ""),
        ("pending", 1, ""),
        ("pending", 0, ""),
    ]
    assert len(receiver.received) == 2


def test_a_left_lane_that_cannot_be_written_down_is_sent_again_when_its_lease_ends(
    receiver: Receiver, impatient: CountingBell, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_endpoint(receiver.url("/slow"))
    answered = threading.Event()
    receiver.plan("/slow", Answer(when=answered))
    record_events("ord_1", range(1, 2))
    drains.drain("relay")
    drains.drain("deliveries")

    def gone(_: object) -> None:
        raise OSError("the database is gone")

    with monkeypatch.context() as patched:
        patched.setattr("webhooks.transitions.record_attempts", gone)
        answered.set()
        assert left.wait(seconds=10)
    assert Delivery.objects.get().state == "pending"
    monkeypatch.setattr(delivery, "_PATIENCE_SECONDS", 30.0)
    Delivery.objects.update(lease_until="2020-01-01T00:00Z", available_at="2020-01-01T00:00Z")
    assert drains.drain("deliveries") == 1
    assert Delivery.objects.get().state == "delivered"
    assert len({one.id for one in receiver.received}) == 1


def test_several_workers_send_each_delivery_once_and_in_order(
    receiver: Receiver, run_threads: Callable[..., Sequence[Any]]
) -> None:
    for path in ("/a", "/b", "/c"):
        make_endpoint(receiver.url(path))
    for number in range(10):
        record_events(f"ord_{number}", range(1, 13))
    drains.drain("relay")

    def work() -> int:
        done = 0
        while Delivery.objects.filter(state="pending").exists():
            done += drains.drain("deliveries")
        return done

    ends = raise_first(run_threads(*[work] * 4))
    assert sum(ends) == len(receiver.received) == 360
    for path in ("/a", "/b", "/c"):
        for number in range(10):
            data = [json.loads(one.body)["data"] for one in receiver.at(path)]
            assert [one["sequence"] for one in data if one["order_id"] == f"ord_{number}"] == list(range(1, 13))


def test_connections_are_kept_alive(receiver: Receiver) -> None:
    make_endpoint(receiver.url())
    for number in range(50):
        record_events(f"ord_{number}", range(1, 3))
    drains.drain("relay")
    drains.drain("deliveries")
    assert len(receiver.received) == 100
    assert receiver.connections <= claiming.PER_ENDPOINT
