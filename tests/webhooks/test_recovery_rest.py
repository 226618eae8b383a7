"""REST of rotation, resends, health, single deliveries and events, and the published event types."""

from datetime import timedelta, timezone
from typing import Any

import pytest
from standardwebhooks import Webhook

from ledger.controls import clock, drains
from ledger.controls.rest.answers import instant
from tests.webhooks.edge import record_events
from tests.webhooks.receiver import Answer, Receiver
from tests.webhooks.test_rest import Partner
from webhooks.models import Delivery, Endpoint, RetiredSecret

pytestmark = pytest.mark.usefixtures("database")


def made_endpoint(partner: Partner, receiver: Receiver) -> tuple[str, str]:
    """Return an endpoint's path and secret."""
    _, made = partner.post("webhook-endpoints", {"url": receiver.url()})
    return f"webhook-endpoints/{made['endpoint_id']}", made["secret"]


def deliver(partner: Partner, aggregate: str, sequences: range) -> list[str]:
    made = record_events(aggregate, sequences, operator_id=partner.operator.pk)
    drains.drain("relay")
    drains.drain("deliveries")
    return made


def test_a_rotation_answers_the_new_secret_once_and_says_when_the_old_one_ends(receiver: Receiver) -> None:
    partner = Partner("acme")
    path, old = made_endpoint(partner, receiver)
    status, rotated = partner.post(f"{path}/rotate", {"overlap_seconds": 600}, key="rotate")
    assert status == 200
    assert partner.post(f"{path}/rotate", {"overlap_seconds": 600}, key="rotate") == (status, rotated), "a replay"
    new = rotated.pop("secret")
    assert partner.get(path) == (200, rotated)
    assert rotated["old_secrets_end_at"] == [instant(RetiredSecret.objects.get().ends_at)]
    deliver(partner, "ord_1", range(1, 2))
    (received,) = receiver.received
    for secret in (old, new):
        Webhook(secret).verify(received.body, received.headers)
    assert partner.post(f"{path}/rotate", {"overlap_seconds": 0})[1]["old_secrets_end_at"] == []


@pytest.mark.parametrize("overlap", [-1, 604_801, "600", 1.5, True, None])
def test_a_rotation_off_shape_is_refused(receiver: Receiver, overlap: object) -> None:
    partner = Partner("acme")
    path, secret = made_endpoint(partner, receiver)
    status, problem = partner.post(f"{path}/rotate", {"overlap_seconds": overlap})
    assert (status, list(problem["errors"])) == (400, ["overlap_seconds"])
    assert Endpoint.objects.get().secret == secret


def test_a_fourth_rotation_is_refused_with_its_reason(receiver: Receiver) -> None:
    partner = Partner("acme")
    path, _ = made_endpoint(partner, receiver)
    for _ in range(3):
        assert partner.post(f"{path}/rotate")[0] == 200
    status, problem = partner.post(f"{path}/rotate")
    assert (status, problem["code"]) == (409, "too_many_secrets")


def test_a_delivery_shows_each_attempt_with_status_timing_and_excerpt(receiver: Receiver) -> None:
    partner = Partner("acme")
    path, _ = made_endpoint(partner, receiver)
    receiver.plan("/hook", Answer(503, body=b"not now"))
    (event,) = deliver(partner, "ord_1", range(1, 2))
    _, page = partner.get(f"{path}/deliveries?event_id={event}")
    (found,) = page["data"]
    assert partner.get(f"{path}/deliveries?event_id=evt_none")[1]["data"] == []
    assert partner.get(f"{path}/deliveries/{found['delivery_id']}") == (200, found)
    (attempt,) = found["attempts"]
    assert (attempt["http_status"], attempt["excerpt"], attempt["failure"]) == (503, "not now", "answered 503")
    assert attempt["duration_ms"] >= 0
    assert partner.get(f"events/{event}/deliveries") == (200, {"data": [found]})
    assert partner.get(f"events/{event}")[1]["id"] == event
    _, well = partner.get(f"{path}/health")
    assert (well["attempts"], well["succeeded"], well["waiting"], well["given_up"]) == (1, 0, 1, 0)
    assert partner.get(path)[1]["failing_since"] is not None


def test_after_an_outage_the_gap_is_closed_by_a_resend_or_by_the_feed(receiver: Receiver) -> None:
    """A missed-webhook gap: whoever knows the last event it saw gets the rest either way, once and in order."""
    partner = Partner("acme")
    path, _ = made_endpoint(partner, receiver)
    seen = deliver(partner, "ord_1", range(1, 3))
    partner.post(f"{path}/disable")
    missed = deliver(partner, "ord_1", range(3, 6)) + deliver(partner, "ord_2", range(1, 2))
    assert len(receiver.received) == 2

    got: list[str] = []
    after = seen[-1]
    more = True
    while more:
        _, page = partner.get(f"events?limit=2&after={after}")
        got += [event["id"] for event in page["data"]]
        after, more = page["next"], page["more"]
    assert got == missed

    assert partner.post(f"{path}/resend", {"first_event_id": seen[0]})[1]["code"] == "endpoint_disabled"
    partner.post(f"{path}/enable")
    status, done = partner.post(f"{path}/resend", {"first_event_id": seen[0]})
    assert (status, done) == (202, {"resent": 4, "next_event_id": None})
    drains.drain("deliveries")
    again = [one.id for one in receiver.received[2:]]
    assert sorted(again) == sorted(missed)
    assert [one for one in again if one in missed[:3]] == missed[:3]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"until": "2026-01-01T00:00:00Z"},
        {"since": "2026-01-01"},
        {"since": "2026-01-01T00:00:00"},
        {"since": "yesterday"},
        {"since": 5},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"since": "9999-12-31T23:59:59-14:00"},
        {"first_event_id": "evt_01kad00f8xm3v6y2q4t5n7w9bz"},
        {"first_event_id": "x' OR 1=1"},
        {"since": "2026-01-01T00:00:00Z", "which": "some"},
        {"since": "2026-01-01T00:00:00Z", "last_event_id": "none"},
        {"since": "2026-01-01T00:00:00Z", "limit": 5},
    ],
)
def test_a_resend_off_shape_is_refused(receiver: Receiver, body: dict[str, Any]) -> None:
    partner = Partner("acme")
    path, _ = made_endpoint(partner, receiver)
    deliver(partner, "ord_1", range(1, 2))
    status, problem = partner.post(f"{path}/resend", body)
    assert (status, problem["code"]) == (400, "malformed")
    assert Delivery.objects.count() == 1


def test_a_resend_by_time_sends_everything_again_when_asked(receiver: Receiver) -> None:
    partner = Partner("acme")
    path, _ = made_endpoint(partner, receiver)
    made = deliver(partner, "ord_1", range(1, 4))
    wide = timezone(timedelta(hours=-20))  # an offset that the database does not know
    since = (clock.now() - timedelta(hours=1)).astimezone(wide).isoformat()
    assert partner.post(f"{path}/resend", {"since": since})[1]["resent"] == 0
    assert partner.post(f"{path}/resend", {"since": since, "which": "all"})[1]["resent"] == 3
    drains.drain("deliveries")
    assert [one.id for one in receiver.received] == made * 2


@pytest.mark.parametrize("other", ["another operator", "the other environment"])
def test_a_stranger_finds_nothing(receiver: Receiver, other: str) -> None:
    partner = Partner("acme")
    path, secret = made_endpoint(partner, receiver)
    (event,) = deliver(partner, "ord_1", range(1, 2))
    delivery = Delivery.objects.get().reference
    stranger = Partner("rival", environment="test" if other == "another operator" else "live")
    assert stranger.post(f"{path}/rotate")[0] == 404
    assert stranger.post(f"{path}/resend", {"first_event_id": event})[0] == 404
    for lost in (f"{path}/health", f"{path}/deliveries/{delivery}", f"events/{event}", f"events/{event}/deliveries"):
        assert stranger.get(lost)[0] == 404, lost
    assert (Endpoint.objects.get().secret, Delivery.objects.count()) == (secret, 1)


def test_the_event_types_are_published_with_their_schemas() -> None:
    partner = Partner("acme", scopes=("quotes",))
    status, page = partner.get("event-types")
    assert status == 200
    assert {"order.processed", "trade.settled", "quote.active"} <= {one["type"] for one in page["data"]}
    status, one = partner.get("event-types/order.processed")
    assert (status, one["version"], one["schema"]["properties"]["type"]) == (200, 1, {"const": "order.processed"})
    assert partner.get("event-types/order.nothing")[0] == 404
