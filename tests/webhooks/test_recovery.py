"""An endpoint is disabled with a notice, is enabled again, and is resent what it missed, no more and in order."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.controls.refusals import Malformed
from ledger.models import Move
from tests.webhooks.edge import OTHER_OPERATOR, make_endpoint, mine, record_events
from tests.webhooks.receiver import Answer, Receiver
from webhooks import endpoints, health, notices, resends
from webhooks.models import Delivery, Endpoint, Notice
from webhooks.resends import Resent, Selection

pytestmark = pytest.mark.usefixtures("database")


def send_all() -> None:
    drains.drain("relay")
    drains.drain("deliveries")


def resend(endpoint: Endpoint, **selection: Any) -> Resent:
    with db_transaction.atomic():
        return resends.resend(**mine(endpoint), selection=Selection(**selection), actor="user:ada", now=clock.now())


def enable(endpoint: Endpoint) -> None:
    with db_transaction.atomic():
        endpoints.enable(**mine(endpoint), actor="user:ada", now=clock.now())


def test_gone_leaves_a_notice_that_is_settled_when_the_endpoint_is_enabled(
    receiver: Receiver, fixed_clock: clock.FixedClock
) -> None:
    endpoint = make_endpoint(receiver.url())
    receiver.plan("/hook", Answer(410))
    record_events("ord_1", range(1, 2))
    send_all()
    (notice,) = notices.open_notices()
    assert (notice.endpoint_reference, notice.reason, notice.noticed_at) == (
        endpoint.reference,
        "the endpoint answered 410 Gone",
        fixed_clock.now(),
    )
    record_events("ord_2", range(1, 2))
    send_all()
    assert Notice.objects.count() == 1, "one notice for one disabling"
    enable(endpoint)
    assert list(notices.open_notices()) == []
    settled = Notice.objects.get()
    assert (settled.settled_at, settled.settled_by) == (fixed_clock.now(), "user:ada")


def test_five_days_of_failures_leave_a_notice(receiver: Receiver, fixed_clock: clock.FixedClock) -> None:
    make_endpoint(receiver.url())
    receiver.plan("/hook", *[Answer(500)] * 3)
    record_events("ord_1", range(1, 2))
    send_all()
    assert list(notices.open_notices()) == []
    fixed_clock.move_to(fixed_clock.now() + timedelta(days=5))
    drains.drain("deliveries")
    assert [one.reason for one in notices.open_notices()] == ["five days without a success"]


def test_a_person_who_disables_an_endpoint_needs_no_notice() -> None:
    endpoint = make_endpoint()
    with db_transaction.atomic():
        endpoints.disable(**mine(endpoint), reason="by hand", now=clock.now())
    assert Notice.objects.count() == 0


def test_after_enabling_everything_that_was_missed_is_resent_once_and_in_order(
    receiver: Receiver, fixed_clock: clock.FixedClock
) -> None:
    """Given up, never born because the endpoint was disabled: both. Delivered before: not again."""
    endpoint = make_endpoint(receiver.url())
    before = record_events("ord_1", range(1, 3))
    send_all()
    receiver.plan("/hook", Answer(410))
    given_up = record_events("ord_1", range(3, 5))
    send_all()
    unborn = record_events("ord_1", range(5, 8)) + record_events("ord_2", range(1, 3))
    send_all()
    assert Delivery.objects.count() == 4
    enable(endpoint)
    received = len(receiver.received)
    assert resend(endpoint, first=before[0]) == Resent(number=7, goes_on_at="")
    assert resend(endpoint, first=before[0]) == Resent(number=0, goes_on_at=""), "what waits is left alone"
    drains.drain("deliveries")
    again = receiver.received[received:]
    assert Counter(one.id for one in again) == Counter([*given_up, *unborn])
    numbers = [json.loads(one.body)["data"]["sequence"] for one in again if b'"ord_1"' in one.body]
    assert numbers == [3, 4, 5, 6, 7]
    births = Move.objects.filter(machine="delivery", to_state="pending", cause="resend asked")
    assert set(births.values_list("actor", "event_reference")) == {("user:ada", one) for one in [*given_up, *unborn]}
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered", "dead"}


def test_a_range_is_by_time_or_by_ids_and_all_means_again(receiver: Receiver, fixed_clock: clock.FixedClock) -> None:
    endpoint = make_endpoint(receiver.url())
    made = []
    for number in range(1, 6):
        made += record_events("ord_1", range(number, number + 1))
        fixed_clock.move_to(fixed_clock.now() + timedelta(minutes=1))
    send_all()
    noon = fixed_clock.now() - timedelta(minutes=5)
    assert resend(endpoint, since=noon).number == 0, "all were delivered"
    selections: list[tuple[dict[str, Any], list[str]]] = [
        ({"since": noon + timedelta(minutes=1), "until": noon + timedelta(minutes=3)}, made[1:3]),
        ({"first": made[3]}, made[3:]),
        ({"first": made[0], "last": made[1]}, made[:2]),
        ({"since": noon + timedelta(minutes=2), "last": made[3]}, made[2:4]),
    ]
    for selection, expected in selections:
        received = len(receiver.received)
        assert resend(endpoint, **selection, undelivered_only=False).number == len(expected)
        drains.drain("deliveries")
        assert [one.id for one in receiver.received[received:]] == expected


def test_a_resend_is_bounded_and_says_where_to_go_on(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.resends.MOST", 3)
    endpoint = make_endpoint(receiver.url())
    made = record_events("ord_1", range(1, 8))
    send_all()
    goes_on, numbers = made[0], []
    while goes_on:
        done = resend(endpoint, first=goes_on, undelivered_only=False)
        numbers.append(done.number)
        goes_on = done.goes_on_at
        drains.drain("deliveries")
    assert numbers == [3, 3, 1]
    assert [one.id for one in receiver.received] == made * 2


def test_only_what_the_endpoint_wants_and_its_operator_owns_is_resent(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url(), topics=["trade.*", "order.failed"])
    record_events("ord_1", range(1, 2))
    (failed,) = record_events("ord_2", range(1, 2), topic="order.failed")
    (trade,) = record_events("trd_1", range(1, 2), topic="trade.settled")
    record_events("ord_3", range(1, 2), topic="order.failed", operator_id=OTHER_OPERATOR)
    record_events("ord_4", range(1, 2), topic="order.failed", environment="live")
    record_events("rev_1", range(1, 2), topic="review_case.open", public=False)
    send_all()
    since = clock.now() - timedelta(hours=1)
    assert resend(endpoint, since=since, undelivered_only=False).number == 2
    drains.drain("deliveries")
    assert sorted(one.id for one in receiver.received) == sorted([failed, trade] * 2)


def send_test(endpoint: Endpoint) -> str:
    """Send a test event; return its reference."""
    with db_transaction.atomic():
        return endpoints.send_test(**mine(endpoint), actor="user:ada", now=clock.now()).event_reference


def test_a_test_event_that_was_never_taken_is_resent_with_its_range_by_time(
    receiver: Receiver, fixed_clock: clock.FixedClock
) -> None:
    """All that failed since: a dead test event is among them, whatever the topics; another endpoint's is not."""
    endpoint = make_endpoint(receiver.url(), topics=["trade.*"])
    other = make_endpoint(receiver.url("/other"))
    early = send_test(endpoint)
    receiver.plan("/hook", Answer(410))
    receiver.plan("/other", Answer(410))
    send_all()
    fixed_clock.move_to(fixed_clock.now() + timedelta(minutes=1))
    since = fixed_clock.now()
    enable(endpoint)
    missed = send_test(endpoint)
    receiver.plan("/hook", Answer(410))
    strange = send_test(other)
    send_all()
    enable(endpoint)
    (trade,) = record_events("trd_1", range(1, 2), topic="trade.settled")
    taken = send_test(endpoint)
    send_all()
    received = len(receiver.received)
    assert resend(endpoint, first=trade).number == 0, "a range by ids is of the feed alone"
    assert resend(endpoint, since=since, until=since).number == 0
    assert resend(endpoint, since=since) == Resent(number=1, goes_on_at="")
    assert resend(endpoint, since=since).number == 0, "what waits is left alone"
    drains.drain("deliveries")
    assert [one.id for one in receiver.received[received:]] == [missed]
    assert resend(endpoint, since=since).number == 0
    assert resend(endpoint, since=since - timedelta(hours=1), undelivered_only=False).number == 4
    drains.drain("deliveries")
    assert Counter(one.id for one in receiver.received[received + 1 :]) == Counter([early, missed, taken, trade])
    assert strange not in {one.id for one in receiver.at("/hook")}


def test_many_test_events_leave_room_for_the_feed(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a resend goes on is a place in the feed, however many tests there are: the next call by time takes theirs."""
    monkeypatch.setattr("webhooks.resends.MOST", 3)
    endpoint = make_endpoint(receiver.url())
    receiver.plan("/hook", Answer(410))
    since = clock.now() - timedelta(hours=1)
    tests = [send_test(endpoint) for _ in range(4)]
    send_all()
    enable(endpoint)
    receiver.plan("/hook", Answer(410))
    made = record_events("ord_1", range(1, 4))
    send_all()
    enable(endpoint)
    assert resend(endpoint, since=since) == Resent(number=3, goes_on_at=made[1])
    drains.drain("deliveries")
    assert resend(endpoint, first=made[1]) == Resent(number=2, goes_on_at="")
    drains.drain("deliveries")
    assert resend(endpoint, since=since) == Resent(number=2, goes_on_at="")
    drains.drain("deliveries")
    taken = Delivery.objects.filter(state="delivered").values_list("event_reference", flat=True)
    assert Counter(taken) == Counter([*tests, *made])


def test_a_resend_without_a_beginning_or_with_a_stranger_s_event_is_refused() -> None:
    endpoint = make_endpoint()
    (theirs,) = record_events("ord_1", range(1, 2), operator_id=OTHER_OPERATOR)
    drains.drain("relay")
    selections: list[dict[str, Any]] = [
        {},
        {"until": clock.now()},
        {"first": theirs},
        {"first": "evt_none"},
        {"since": clock.now(), "last": "x"},
    ]
    for selection in selections:
        with pytest.raises(Malformed):
            resend(endpoint, **selection)
    assert Delivery.objects.count() == 0


def test_a_disabled_endpoint_is_resent_nothing() -> None:
    endpoint = make_endpoint()
    with db_transaction.atomic():
        endpoints.disable(**mine(endpoint), reason="by hand", now=clock.now())
    with pytest.raises(endpoints.EndpointDisabled):
        resend(endpoint, since=clock.now())


def test_health_says_what_the_last_deliveries_say(receiver: Receiver, fixed_clock: clock.FixedClock) -> None:
    endpoint = make_endpoint(receiver.url())
    quiet = make_endpoint(receiver.url("/quiet"), topics=["trade.*"])
    receiver.plan("/hook", Answer(204), Answer(500))
    record_events("ord_1", range(1, 2))
    send_all()
    record_events("ord_2", range(1, 3))
    send_all()
    found = health.of([endpoint, quiet])
    assert (found[endpoint.pk].attempts, found[endpoint.pk].succeeded, found[endpoint.pk].success_percent) == (2, 1, 50)
    assert found[endpoint.pk].last_success_at == fixed_clock.now()
    assert (found[endpoint.pk].waiting, found[endpoint.pk].oldest_waiting) == (2, fixed_clock.now())
    assert (found[quiet.pk].attempts, found[quiet.pk].success_percent, found[quiet.pk].median_ms) == (0, None, None)
