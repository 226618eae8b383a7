"""The relay: order per aggregate, nothing lost, nothing twice, a failing head holds back its own aggregate alone."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db import transaction as db_transaction

from ledger.controls import bell, clock, drains, machines
from ledger.models import Event, Move, QueuedEvent
from tests.threads import raise_first
from tests.webhooks.edge import OTHER_OPERATOR, column, make_endpoint, queued, record_events
from webhooks import relay, routing
from webhooks.models import Delivery, FeedEntry

pytestmark = pytest.mark.usefixtures("database")


class Broken(Exception):
    """A listener's defect."""


@contextmanager
def listening(topic: str, listener: routing.Listener) -> Iterator[None]:
    routing.listen(topic, listener)
    try:
        yield
    finally:
        routing.silence(topic, listener)


def test_a_public_event_becomes_a_delivery_for_each_endpoint_that_wants_it() -> None:
    wanting = [make_endpoint(topics=topics) for topics in ([], ["order.*"], ["order.processed", "trade.settled"])]
    make_endpoint(topics=["trade.*"])
    make_endpoint(topics=["order.failed"])
    make_endpoint(operator_id=OTHER_OPERATOR)
    make_endpoint(environment="live")
    disabled = make_endpoint()
    type(disabled).objects.filter(pk=disabled.pk).update(disabled_at=clock.now())
    (reference,) = record_events("ord_1", range(1, 2))

    assert drains.drain("relay") == 1

    deliveries = Delivery.objects.order_by("endpoint_id")
    assert [row.endpoint_id for row in deliveries] == [endpoint.pk for endpoint in wanting]
    assert {(row.event_reference, row.state, row.topic, row.sequence) for row in deliveries} == {
        (reference, "pending", "order.processed", 1)
    }
    assert len({row.reference for row in deliveries}) == 3
    assert all(len(row.reference) == 30 for row in deliveries)
    assert queued() == []


def test_a_birth_has_its_audit_row_and_no_event() -> None:
    make_endpoint()
    record_events("ord_1", range(1, 2))
    drains.drain("relay")
    delivery = Delivery.objects.get()
    move = Move.objects.get(subject=delivery.reference)
    assert (move.machine, move.sequence, move.from_state, move.to_state) == ("delivery", 1, "", "pending")
    assert (move.actor, move.request_id) == ("relay", "req_ord_1")
    assert move.to_state == machines.named("delivery").first
    assert Event.objects.count() == 1


@pytest.mark.parametrize("public, operator_id", [(False, 71), (True, None)])
def test_an_event_that_is_internal_or_nobodys_never_leaves(public: bool, operator_id: int | None) -> None:
    make_endpoint()
    record_events("rev_1", range(1, 3), topic="review_case.open", public=public, operator_id=operator_id)
    assert drains.drain("relay") == 2
    assert Delivery.objects.count() == 0
    assert FeedEntry.objects.count() == 0
    assert queued() == []


def test_order_per_aggregate_is_kept_when_several_relays_run_at_once(
    run_threads: Callable[..., Sequence[Any]],
) -> None:
    """Each aggregate's listeners hear 1, 2, 3 … without gap, in the order of commits, whoever relays."""
    endpoint = make_endpoint()
    heard: list[tuple[int, str, int]] = []
    writing = threading.Event()
    aggregates = [f"ord_{number}" for number in range(12)]

    def write(share: int) -> None:
        chance = random.Random(share)
        waiting = dict.fromkeys(aggregates[share::3], 1)
        while waiting:
            aggregate = chance.choice(sorted(waiting))
            first = waiting[aggregate]
            last = min(first + chance.randint(1, 4), 31)
            record_events(aggregate, range(first, last))
            waiting[aggregate] = last
            if last == 31:
                del waiting[aggregate]

    def write_all() -> None:
        for share in range(3):
            write(share)
        writing.set()

    def relay_until_done() -> int:
        done = 0
        while not (writing.is_set() and QueuedEvent.objects.count() == 0):
            done += drains.drain("relay")
        return done

    def listener(event: routing.RelayedEvent) -> None:
        with connection.cursor() as cursor:  # the place is given in the relay's transaction
            cursor.execute(
                "INSERT INTO orders_reviewnote (case_reference, author, text, written_at)"
                " VALUES (%s, '', %s, clock_timestamp())",
                [event.aggregate, str(event.sequence)],
            )
        heard.append((threading.get_ident(), event.aggregate, event.sequence))

    with listening("order.*", listener):
        ends = run_threads(write_all, *[relay_until_done] * 4)
    raise_first(ends)

    for aggregate in aggregates:
        sequences = [sequence for _, name, sequence in heard if name == aggregate]
        assert sequences == list(range(1, 31))
        noted = column("SELECT text::int FROM orders_reviewnote WHERE case_reference = %s ORDER BY id", aggregate)
        assert noted == list(range(1, 31))
        born = column("SELECT sequence FROM webhooks_delivery WHERE aggregate = %s ORDER BY id", aggregate)
        assert born == list(range(1, 31))
    assert Delivery.objects.filter(endpoint_id=endpoint.pk).count() == 360
    assert FeedEntry.objects.count() == 360
    assert len({thread for thread, _, _ in heard}) > 1, "only one relay did anything: nothing was tried"


def test_a_second_relay_leaves_an_aggregate_that_the_first_has(
    application_connection: psycopg.Connection[Any],
) -> None:
    make_endpoint()
    record_events("ord_1", range(1, 3))
    record_events("ord_2", range(1, 2))
    with application_connection.transaction():
        application_connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('ord_1', 8))")
        assert drains.drain("relay") == 1
        assert queued() == [("ord_1", 1), ("ord_1", 2)]
    assert drains.drain("relay") == 2
    assert queued() == []


def test_an_event_that_commits_late_is_passed_on_in_its_place(
    application_connection: psycopg.Connection[Any],
) -> None:
    """Ids are given before commit: the feed's places are not, so a reader who is behind the last one misses none."""
    with application_connection.transaction():
        application_connection.execute(
            "SELECT record_moves('test', %s::jsonb, clock_timestamp())",
            [
                '[{"operator_id": 71, "machine": "order", "subject": "ord_late", "sequence": 1, "from_state": "",'
                ' "to_state": "queued", "actor": "t", "cause": "t", "request_id": "", "event_reference": "",'
                ' "event": {"reference": "evt_late", "topic": "order.queued", "payload": {}, "public": true}}]'
            ],
        )
        record_events("ord_early", range(1, 2))
        drains.drain("relay")
        last_seen = FeedEntry.objects.get().position
    drains.drain("relay")
    late = FeedEntry.objects.get(position__gt=last_seen)
    assert Event.objects.get(pk=late.event_id).aggregate == "ord_late"
    assert late.event_id < FeedEntry.objects.get(position=last_seen).event_id


def test_a_place_in_the_feed_is_given_to_one_at_a_time(application_connection: psycopg.Connection[Any]) -> None:
    """Else a later place could become visible before an earlier one."""
    record_events("ord_1", range(1, 3))
    first, second = Event.objects.order_by("pk").values_list("pk", flat=True)
    with application_connection.transaction():
        application_connection.execute("SELECT webhooks_publish(%s)", [[second]])
        with db_transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
            with pytest.raises(OperationalError, match="lock timeout"), db_transaction.atomic():
                cursor.execute("SELECT webhooks_publish(%s)", [[first]])
    drained = FeedEntry.objects.values_list("event_id", flat=True)
    assert list(drained) == [second]


def test_nothing_is_lost_when_the_relay_dies_before_its_commit() -> None:
    make_endpoint()
    record_events("ord_1", range(1, 4))
    with pytest.raises(KeyboardInterrupt), listening("order.*", _kill):
        drains.drain("relay")
    assert queued() == [("ord_1", 1), ("ord_1", 2), ("ord_1", 3)]
    assert Delivery.objects.count() == FeedEntry.objects.count() == 0
    assert QueuedEvent.objects.filter(attempts=0).count() == 3

    assert drains.drain("relay") == 3
    assert Delivery.objects.count() == 3


def test_a_failing_head_holds_back_its_own_aggregate_alone(fixed_clock: clock.FixedClock) -> None:
    make_endpoint()
    record_events("ord_bad", range(1, 5))
    record_events("ord_good", range(1, 4))
    heard: list[tuple[str, int]] = []
    cured = False

    def listener(event: routing.RelayedEvent) -> None:
        if (event.aggregate, event.sequence) == ("ord_bad", 2) and not cured:
            raise Broken("no such pool")
        heard.append((event.aggregate, event.sequence))

    with listening("order.*", listener):
        drains.drain("relay")
        delivered = Delivery.objects.order_by("id").values_list("aggregate", "sequence")
        assert set(delivered) == {("ord_bad", 1), ("ord_good", 1), ("ord_good", 2), ("ord_good", 3)}
        assert queued() == [("ord_bad", 2), ("ord_bad", 3), ("ord_bad", 4)]
        head = QueuedEvent.objects.get(sequence=2)
        assert (head.attempts, head.last_error) == (1, "Broken: no such pool")
        assert fixed_clock.now() < head.available_at <= fixed_clock.now() + timedelta(seconds=1.2)
        assert drains.depth("relay") == 0, "rows behind the head wait as long as it does"

        record_events("ord_bad", range(5, 6))
        drains.drain("relay")
        assert ("ord_bad", 5) in queued(), "a later event passed one that failed"

        cured = True
        fixed_clock.move_to(fixed_clock.now() + timedelta(seconds=2))
        assert drains.drain("relay") == 4
    assert [sequence for name, sequence in heard if name == "ord_bad"][-4:] == [2, 3, 4, 5]
    assert Delivery.objects.filter(aggregate="ord_bad").count() == 5


def test_a_listener_s_writes_are_undone_with_its_event() -> None:
    record_events("ord_1", range(1, 2))

    def listener(event: routing.RelayedEvent) -> None:
        record_events("ord_caused", range(1, 2))
        raise Broken

    with listening("order.processed", listener):
        drains.drain("relay")
    assert queued() == [("ord_1", 1)]
    assert Event.objects.count() == 1


def test_an_event_becomes_a_dead_letter_after_the_last_try_and_lets_the_next_pass(
    fixed_clock: clock.FixedClock,
) -> None:
    make_endpoint()
    record_events("ord_1", range(1, 4))

    def listener(event: routing.RelayedEvent) -> None:
        if event.sequence == 1:
            raise Broken

    waits: list[timedelta] = []
    with listening("order.*", listener):
        for _ in range(relay.TRIES):
            drains.drain("relay")
            head = QueuedEvent.objects.get(sequence=1)
            waits.append(head.available_at - fixed_clock.now())
            fixed_clock.move_to(head.available_at)
        drains.drain("relay")
    assert queued() == [("ord_1", 1)]
    assert QueuedEvent.objects.get().dead_at is not None
    assert QueuedEvent.objects.get().attempts == relay.TRIES
    assert list(Delivery.objects.order_by("id").values_list("sequence", flat=True)) == [2, 3]
    assert waits[1] > waits[0]
    assert max(waits) <= timedelta(seconds=720)
    assert drains.depth("relay") == 0


def test_a_batch_is_bounded_and_a_drain_takes_all() -> None:
    record_events("ord_long", range(1, 121))
    assert relay.relay() == 50
    assert drains.drain("relay") == 70
    assert queued() == []


def test_the_bell_for_deliveries_rings_after_the_commit_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[tuple[str, bool]] = []

    class Listening:
        def ring(self, kind: str) -> None:
            rung.append((kind, connection.in_atomic_block))

    monkeypatch.setattr(bell, "_installed", Listening())
    record_events("ord_1", range(1, 2))
    drains.drain("relay")
    assert rung == [], "nobody wants the event: nothing is due"
    make_endpoint()
    record_events("ord_2", range(1, 2))
    drains.drain("relay")
    assert rung == [("deliveries", False)]


def test_a_pair_of_event_and_endpoint_is_born_once() -> None:
    make_endpoint()
    record_events("ord_1", range(1, 2))
    drains.drain("relay")
    event_id = Event.objects.get().pk
    with pytest.raises(Exception, match="unique"), db_transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT webhooks_fan_out(%s, NULL)", [[event_id]])
    assert Delivery.objects.count() == 1


def _kill(event: routing.RelayedEvent) -> None:
    if event.sequence == 2:
        raise KeyboardInterrupt
