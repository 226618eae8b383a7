"""A venue's price, asked while a request waits: a limit of its own, a lease, the circuit, pauses; each question is kept."""

import json
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from datetime import timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, connections
from django.db import transaction as db_transaction

from ledger.controls import clock, drains, metrics, request_context
from ledger.controls.rest import problems
from orders.models import Quote
from orders.venue_port import PoolUnavailable, PriceNotOffered
from tests.orders import books
from tests.orders.desk import Desk, reloaded
from tests.orders.lanes import trades_of
from tests.orders.test_venue_http import SECRET, ordered, quoted, venue
from tests.venue_in_process import VenueTransport
from wallets import pauses
from wallets.models import Breaker, Gateway, Inquiry, InquiryLease, RemoteOperation
from webhooks import outbound

pytestmark = pytest.mark.usefixtures("database")

__all__ = ["venue"]


class SlowNorth:
    """Lets nothing of north's pool through until it is told to; the others answer at once."""

    def __init__(self, transport: VenueTransport) -> None:
        self._transport = transport
        self._entered = threading.Semaphore(0)
        self._gate = threading.Event()
        self._line = threading.Lock()

    def send(self, request: outbound.OutboundRequest) -> outbound.OutboundResponse:
        if b"EUR-USDT-north" in request.body:
            self._entered.release()
            assert self._gate.wait(20), "nobody opened"
        with self._line:
            return self._transport.send(request)

    def wait_for(self, number: int) -> None:
        for _ in range(number):
            assert self._entered.acquire(timeout=20)

    def open(self) -> None:
        self._gate.set()


def _in_threads(work: Sequence[Callable[[], Any]]) -> tuple[list[threading.Thread], list[Any]]:
    """Start the work on this thread's clock; return the threads, and where their results will be."""
    ends: list[Any] = [None] * len(work)

    def run(place: int) -> None:
        try:
            ends[place] = work[place]()
        except Exception as error:
            ends[place] = error
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=copy_context().run, args=(run, place), daemon=True) for place in range(len(work))
    ]
    for thread in threads:
        thread.start()
    return threads, ends


def _north() -> Gateway:
    return Gateway.objects.get(channel="venue:north")


def test_a_slow_venue_holds_no_more_than_its_share_and_the_others_are_quoted(desk: Desk, venue: VenueTransport) -> None:
    Gateway.objects.filter(channel="venue:north").update(inquiry_concurrency=2)
    slow = SlowNorth(venue)
    with outbound.use(slow):
        threads, ends = _in_threads([lambda: quoted(desk)] * 2)
        slow.wait_for(2)
        before = books.world()
        with pytest.raises(PoolUnavailable) as refused:
            quoted(desk)
        assert refused.value.retry_after == 1
        assert books.world() == before
        assert quoted(desk, code="south").venue_quote_id == "vq_000001", "another venue"
        assert desk.quote("20.00").pool_code == "EUR-USDT", "our own pool"
        order = desk.order("30.00", user="bob")
        drains.drain("sagas")
        assert reloaded(order).state == "processed", "and whoever trades elsewhere"
        assert InquiryLease.objects.filter(gateway_id=_north().pk).count() == 2
        running = {labels["channel"]: number for labels, number in _gauge("holdfast_gateway_running")}
        assert (running["venue:north"], running["venue:south"]) == (2, 0)
        slow.open()
        for thread in threads:
            thread.join(20)
        assert [type(end) for end in ends] == [Quote, Quote]
        assert quoted(desk).venue_quote_id == "vq_000004", "there is room again"
    assert not InquiryLease.objects.exists()
    assert Inquiry.objects.count() == 4


def _gauge(name: str) -> list[tuple[Any, Any]]:
    (metric,) = (one for one in metrics.registered() if one.name == name)
    return list(metric.collect())


def test_prices_that_run_count_beside_what_moves_money(desk: Desk, venue: VenueTransport) -> None:
    """The gateway's own limit is of all questions together: legs wait for a price, and a price for legs."""
    order = ordered(desk)
    Gateway.objects.filter(channel="venue:north").update(concurrency=1)
    slow = SlowNorth(venue)
    with outbound.use(slow):
        threads, ends = _in_threads([lambda: quoted(desk)])
        slow.wait_for(1)
        drains.drain("sagas")
        (trade,) = trades_of(order)
        assert RemoteOperation.objects.get(owner=trade.reference).state == "prepared", "it waits for its turn"
        slow.open()
        threads[0].join(20)
        assert isinstance(ends[0], Quote)
    lease = clock.now() + timedelta(seconds=15)
    RemoteOperation.objects.filter(owner=trade.reference).update(lease_until=lease, lease_token="somebody's")
    with pytest.raises(PoolUnavailable):
        quoted(desk)
    RemoteOperation.objects.filter(owner=trade.reference).update(lease_until=None, lease_token="")
    desk.drive(passes=5, pause=timedelta(seconds=2))
    assert reloaded(order).state == "processed"


def test_a_dead_asker_keeps_its_place_no_longer_than_its_lease(
    desk: Desk, venue: VenueTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    Gateway.objects.filter(channel="venue:north").update(inquiry_concurrency=1)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("orders.venues.http.HttpVenue.price", killed)
        with pytest.raises(KeyboardInterrupt):
            quoted(desk)
    assert InquiryLease.objects.get().lease_until == clock.now() + timedelta(seconds=15)
    with pytest.raises(PoolUnavailable):
        quoted(desk)
    assert venue.asked() == []
    desk.later(seconds=16)
    assert quoted(desk).venue_quote_id == "vq_000001"
    assert not InquiryLease.objects.exists()


@pytest.mark.parametrize(
    ("fault", "refusal", "outcome", "detail", "status"),
    [
        (None, None, "answered", "vq_000001", 200),
        ("error", PoolUnavailable, "unknown", "server_error", 500),
        ("silence", PoolUnavailable, "unknown", "timeout", None),
        ("refused", PriceNotOffered, "refused", "no_price", 422),
    ],
)
def test_each_price_question_is_kept_with_its_request_and_what_was_said(
    fault: str | None,
    refusal: type[Exception] | None,
    outcome: str,
    detail: str,
    status: int | None,
    desk: Desk,
    venue: VenueTransport,
) -> None:
    if fault is not None:
        with venue.store.transaction():
            venue.store.add_plan("quote", "EUR-USDT-north", fault, None)
    with request_context.bound(request_id="req_of_the_quote"):
        if refusal is None:
            quoted(desk)
        else:
            with pytest.raises(refusal):
                quoted(desk)
    (kept,) = Inquiry.objects.all()
    assert (kept.kind, kept.subject, kept.request_id) == ("price", "EUR-USDT-north", "req_of_the_quote")
    assert (kept.outcome, kept.detail, kept.http_status) == (outcome, detail, status)
    assert (kept.gateway_id, kept.started_at, kept.duration_ms) == (_north().pk, desk.clock.now(), 0)
    assert kept.question.startswith('POST /quotes {"given_asset":"USDT",')
    assert json.loads(kept.question.removeprefix("POST /quotes "))["taken_asset"] == "EUR"
    assert bool(kept.excerpt) is (status is not None)
    assert SECRET not in kept.question + kept.excerpt
    assert "whsec_" not in kept.question + kept.excerpt
    with pytest.raises(ProgrammingError, match="permission denied"), db_transaction.atomic():
        Inquiry.objects.update(outcome="answered", detail="better")


def test_nothing_is_asked_of_a_paused_venue_nor_of_one_whose_circuit_is_open(desk: Desk, venue: VenueTransport) -> None:
    def pause() -> None:
        with db_transaction.atomic():
            pauses.pause_gateway(
                operator_slug="house",
                environment="test",
                channel="venue:north",
                reason="they asked for it",
                lasts=timedelta(minutes=5),
                actor="user:lea",
                now=clock.now(),
            )

    pause()
    with pytest.raises(PoolUnavailable) as paused:
        quoted(desk)
    assert paused.value.retry_after == 30, "not as long as the pause: it may be lifted"
    desk.later(minutes=6)
    Gateway.objects.filter(channel="venue:north").update(breaker_failures=1)
    venue.down = True
    with pytest.raises(PoolUnavailable):
        quoted(desk)
    assert Breaker.objects.get(gateway_id=_north().pk).open_until is not None
    venue.down = False
    with pytest.raises(PoolUnavailable) as broken:
        quoted(desk)
    assert broken.value.retry_after == 10
    assert Inquiry.objects.count() == 1
    assert venue.asked() == []
    assert quoted(desk, code="south").venue_quote_id == "vq_000001"


def test_the_refusal_tells_when_to_come_again() -> None:
    told = problems.of_refusal(PoolUnavailable(wait=timedelta(milliseconds=1_200)))
    assert (told.status_code, told.headers["Retry-After"]) == (503, "2")
    assert json.loads(told.content)["code"] == "pool_unavailable"
