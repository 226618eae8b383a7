"""Deliveries over real HTTP to a receiver on loopback: what is sent, when again, and when never."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.db import transaction as db_transaction
from standardwebhooks import Webhook

from ledger.controls import clock, drains, randomness
from ledger.models import Event, Move
from tests.webhooks.edge import attempts, column, make_endpoint, mine, record_events, the_delivery
from tests.webhooks.receiver import Answer, Receiver
from webhooks import backoff, claiming, endpoints, outbound, transitions
from webhooks.models import Delivery, DeliveryAttempt, Endpoint
from webhooks.transitions import Attempted, Verdict

pytestmark = pytest.mark.usefixtures("database")


def send_all() -> None:
    drains.drain("relay")
    drains.drain("deliveries")


def test_a_delivery_is_what_standard_webhooks_says(receiver: Receiver) -> None:
    """Verified by the official library, by the clock of now."""
    endpoint = make_endpoint(receiver.url())
    (reference,) = record_events("ord_1", range(1, 2))
    send_all()

    (received,) = receiver.received
    message = Webhook(endpoint.secret).verify(received.body, received.headers)
    event = Event.objects.get()
    assert message == {
        "type": "order.processed",
        "timestamp": event.recorded_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "id": reference,
        "environment": "test",
        "data": {"order_id": "ord_1", "sequence": 1, "note": "żółw €"},
    }
    assert received.id == reference
    assert received.headers["content-type"] == "application/json"
    assert received.headers["x-request-id"] == "req_ord_1"


def test_success_is_one_attempt_one_move_and_no_event(receiver: Receiver, fixed_clock: clock.FixedClock) -> None:
    make_endpoint(receiver.url())
    record_events("ord_1", range(1, 2))
    send_all()
    delivery = the_delivery()
    assert (delivery.state, delivery.attempts, delivery.version) == ("delivered", 1, 2)
    assert (delivery.ended_at, delivery.lease_token, delivery.lease_until) == (fixed_clock.now(), "", None)
    assert attempts() == [(1, 204)]
    moves = Move.objects.filter(subject=delivery.reference).order_by("sequence")
    assert [(move.from_state, move.to_state, move.actor) for move in moves] == [
        ("", "pending", "relay"),
        ("pending", "delivered", "deliveries"),
    ]
    assert Event.objects.count() == 1
    assert drains.drain("deliveries") == 0
    assert len(receiver.received) == 1


def test_a_failure_is_tried_again_with_the_same_id_and_body_and_a_renewed_signature(
    receiver: Receiver, fixed_clock: clock.FixedClock
) -> None:
    endpoint = make_endpoint(receiver.url())
    receiver.plan("/hook", Answer(500, body=b"went wrong"))
    record_events("ord_1", range(1, 2))
    send_all()

    delivery = the_delivery()
    wait = delivery.available_at - fixed_clock.now()
    assert delivery.state == "pending"
    assert timedelta(seconds=5) <= wait <= timedelta(seconds=6)
    assert Endpoint.objects.get().failing_since == fixed_clock.now()
    attempt = DeliveryAttempt.objects.get()
    assert (attempt.http_status, attempt.failure, attempt.excerpt) == (500, "answered 500", "went wrong")

    fixed_clock.move_to(fixed_clock.now() + timedelta(seconds=4))
    assert drains.drain("deliveries") == 0, "too early"
    fixed_clock.move_to(fixed_clock.now() + timedelta(seconds=3))
    drains.drain("deliveries")

    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)
    assert second.timestamp == first.timestamp + 7
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    first.verify(endpoint.secret)
    second.verify(endpoint.secret)
    assert the_delivery().state == "delivered"
    assert attempts() == [(1, 500), (2, 204)]
    assert Endpoint.objects.get().failing_since is None


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 400, 401, 404, 409, 429, 500, 503])
def test_whatever_is_not_2xx_is_a_failure_and_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    make_endpoint(receiver.url())
    receiver.plan("/hook", Answer(status, headers={"Location": receiver.url("/elsewhere")}))
    record_events("ord_1", range(1, 2))
    send_all()
    assert the_delivery().state == "pending"
    assert attempts() == [(1, status)]
    assert receiver.at("/elsewhere") == []


def test_the_schedule_is_standard_webhooks_and_ends_dead(receiver: Receiver, fixed_clock: clock.FixedClock) -> None:
    make_endpoint(receiver.url())
    receiver.plan("/hook", *[Answer(503)] * 10)
    record_events("ord_1", range(1, 2))
    drains.drain("relay")
    waits: list[timedelta] = []
    Endpoint.objects.update(disabled_at=None)
    for _ in range(9):
        drains.drain("deliveries")
        assert the_delivery().state == "pending"
        waits.append(the_delivery().available_at - fixed_clock.now())
        fixed_clock.move_to(the_delivery().available_at)
    drains.drain("deliveries")

    minutes = timedelta(minutes=1)
    expected = [
        timedelta(seconds=5),
        5 * minutes,
        30 * minutes,
        *[hours * 60 * minutes for hours in (2, 5, 10, 14, 20, 24)],
    ]
    for wait, nominal in zip(waits, expected, strict=True):
        assert nominal <= wait <= nominal * 1.2
    assert the_delivery().state == "dead"
    assert len(receiver.received) == 10
    assert len({received.id for received in receiver.received}) == 1
    assert Move.objects.filter(machine="delivery", to_state="dead").count() == 1


@pytest.mark.parametrize(
    "asked, least, most",
    [
        ("120", 120, 120),
        ("1", 5, 6),  # less than the schedule: the schedule
        ("999999999", 86_400, 86_400),  # bounded
        ("Mon, 04 May 2026 12:02:00 GMT", 120, 120),
        ("Mon, 04 May 2020 12:02:00 GMT", 5, 6),
        ("soon", 5, 6),
        ("-5", 5, 6),
        ("1e9", 5, 6),
        ("٣٠", 5, 6),
    ],
)
def test_retry_after_is_honoured_within_bounds(
    receiver: Receiver, fixed_clock: clock.FixedClock, asked: str, least: int, most: int
) -> None:
    wait = backoff.delay_after(
        attempt=1,
        fraction=randomness.fraction(),
        retry_after=backoff.read_retry_after(asked, now=fixed_clock.now()),
    )
    assert wait is not None
    assert timedelta(seconds=least) <= wait <= timedelta(seconds=most)
    if asked.isascii():
        make_endpoint(receiver.url())
        receiver.plan("/hook", Answer(429, headers={"Retry-After": asked}))
        record_events("ord_1", range(1, 2))
        send_all()
        stored = the_delivery().available_at - fixed_clock.now()
        assert timedelta(seconds=least) <= stored <= timedelta(seconds=most)


def test_410_disables_the_endpoint_and_what_waits_is_dead(receiver: Receiver, fixed_clock: clock.FixedClock) -> None:
    endpoint = make_endpoint(receiver.url())
    other = make_endpoint(receiver.url("/other"))
    receiver.plan("/hook", Answer(500))
    record_events("ord_waits", range(1, 3))
    send_all()
    receiver.plan("/hook", Answer(410))
    record_events("ord_gone", range(1, 2))
    send_all()

    endpoint.refresh_from_db()
    assert endpoint.disabled_at == fixed_clock.now()
    assert endpoint.disabled_reason == "the endpoint answered 410 Gone"
    assert Endpoint.objects.get(pk=other.pk).disabled_at is None
    states = Delivery.objects.filter(endpoint_id=endpoint.pk).values_list("state", flat=True)
    assert list(states) == ["dead"] * 3
    assert len(receiver.at("/hook")) == 2, "something was sent to a disabled endpoint"
    record_events("ord_later", range(1, 2))
    send_all()
    assert Delivery.objects.filter(endpoint_id=endpoint.pk).count() == 3
    assert len(receiver.at("/other")) == 4


def test_five_days_without_a_success_disable_an_endpoint(receiver: Receiver, fixed_clock: clock.FixedClock) -> None:
    make_endpoint(receiver.url())
    receiver.plan("/hook", *[Answer(500)] * 4)
    record_events("ord_1", range(1, 2))
    send_all()
    fixed_clock.move_to(fixed_clock.now() + timedelta(days=4, hours=23))
    drains.drain("deliveries")
    assert Endpoint.objects.get().disabled_at is None
    fixed_clock.move_to(fixed_clock.now() + timedelta(hours=2))
    record_events("ord_2", range(1, 2))
    send_all()
    assert Endpoint.objects.get().disabled_reason == "five days without a success"
    assert list(Delivery.objects.values_list("state", flat=True)) == ["dead"] * 2
    assert len(receiver.received) == 4


def test_a_success_begins_the_five_days_anew(receiver: Receiver, fixed_clock: clock.FixedClock) -> None:
    make_endpoint(receiver.url())
    for day in range(8):
        receiver.plan("/hook", Answer(500) if day % 2 else Answer(204))
        record_events(f"ord_{day}", range(1, 2))
        drains.drain("relay")
        drains.drain("deliveries")
        Delivery.objects.filter(state="pending").update(available_at=fixed_clock.now() + timedelta(days=30))
        fixed_clock.move_to(fixed_clock.now() + timedelta(days=1))
    assert Endpoint.objects.get().disabled_at is None


def test_order_is_kept_per_endpoint_and_aggregate(receiver: Receiver, fixed_clock: clock.FixedClock) -> None:
    """The second waits for the first; another order, and another endpoint, wait for nobody."""
    make_endpoint(receiver.url("/a"))
    make_endpoint(receiver.url("/b"))
    receiver.plan("/a", Answer(500))
    record_events("ord_1", range(1, 5))
    send_all()
    record_events("ord_2", range(1, 3))
    send_all()
    sent = [
        (one.path, json.loads(one.body)["data"]["order_id"], json.loads(one.body)["data"]["sequence"])
        for one in receiver.received
    ]
    assert [(order, number) for path, order, number in sent if path == "/b" and order == "ord_1"] == [
        ("ord_1", 1),
        ("ord_1", 2),
        ("ord_1", 3),
        ("ord_1", 4),
    ]
    assert [number for path, order, number in sent if (path, order) == ("/a", "ord_1")] == [1]
    assert [number for path, order, number in sent if (path, order) == ("/a", "ord_2")] == [1, 2]

    fixed_clock.move_to(fixed_clock.now() + timedelta(seconds=7))
    drains.drain("deliveries")
    again = [json.loads(one.body)["data"] for one in receiver.at("/a")]
    assert [data["sequence"] for data in again if data["order_id"] == "ord_1"] == [1, 1, 2, 3, 4]
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_what_waited_behind_one_on_its_way_is_due_when_that_is_delivered(fixed_clock: clock.FixedClock) -> None:
    make_endpoint()
    record_events("ord_1", range(1, 4))
    drains.drain("relay")
    ((head,),), _ = claiming.claim(limit=1)
    assert claiming.claim(limit=10) == ([], True), "two wait behind the one on its way"
    assert claiming.claim(limit=10) == ([], False), "and were put off"
    transitions.record_attempts(
        [Attempted(id=head.id, token=head.token, number=1, verdict=Verdict.DELIVERED, cause="answered 204")]
    )
    (lane,), _ = claiming.claim(limit=10)
    assert [one.payload["sequence"] for one in lane] == [2, 3]


def test_a_dead_one_lets_the_next_pass(receiver: Receiver, fixed_clock: clock.FixedClock) -> None:
    make_endpoint(receiver.url())
    record_events("ord_1", range(1, 3))
    drains.drain("relay")
    Delivery.objects.filter(sequence=1).update(attempts=9)
    receiver.plan("/hook", Answer(500))
    drains.drain("deliveries")
    assert list(Delivery.objects.order_by("sequence").values_list("state", flat=True)) == ["dead", "delivered"]


def test_a_crash_between_send_and_record_sends_again_with_the_same_id(
    receiver: Receiver, fixed_clock: clock.FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_endpoint(receiver.url())
    record_events("ord_1", range(1, 3))
    drains.drain("relay")
    with monkeypatch.context() as patched:
        patched.setattr("webhooks.transitions.record_attempts", _killed)
        with pytest.raises(KeyboardInterrupt):
            drains.drain("deliveries")
    assert len(receiver.received) == 2
    assert attempts() == []
    assert set(Delivery.objects.values_list("state", "attempts")) == {("pending", 1)}

    fixed_clock.move_to(fixed_clock.now() + timedelta(seconds=59))
    assert drains.drain("deliveries") == 0, "the lease still holds"
    fixed_clock.move_to(fixed_clock.now() + timedelta(seconds=2))
    drains.drain("deliveries")
    first = [one.id for one in receiver.received[:2]]
    assert [one.id for one in receiver.received] == first * 2
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert attempts() == [(2, 204), (2, 204)]


def test_a_lost_lease_records_its_attempt_and_nothing_else(receiver: Receiver, fixed_clock: clock.FixedClock) -> None:
    make_endpoint(receiver.url())
    record_events("ord_1", range(1, 2))
    drains.drain("relay")

    class Overtaken:
        """While this worker asks, its lease ends and another one delivers."""

        def send(self, request: outbound.OutboundRequest) -> outbound.OutboundResponse:
            fixed_clock.move_to(fixed_clock.now() + timedelta(seconds=61))
            end = fixed_clock.now() + timedelta(seconds=60)
            Delivery.objects.update(lease_token="theirs", lease_until=end, available_at=end, attempts=2)
            return outbound.OutboundResponse(status=500, headers={}, body=b"")

    with outbound.use(Overtaken()):
        drains.drain("deliveries")
    delivery = the_delivery()
    assert (delivery.state, delivery.lease_token, delivery.attempts) == ("pending", "theirs", 2)
    assert attempts() == [(1, 500)]
    assert Endpoint.objects.get().failing_since is None
    assert Move.objects.filter(machine="delivery").count() == 1


def test_an_answer_that_is_too_large_is_cut_off_and_its_status_counts(receiver: Receiver) -> None:
    make_endpoint(receiver.url("/fine"), topics=["order.*"])
    make_endpoint(receiver.url("/wrong"), topics=["order.*"])
    receiver.plan("/fine", Answer(200, body=b"x" * 5_000_000))
    receiver.plan("/wrong", Answer(500, body=b"x" * 5_000_000))
    record_events("ord_1", range(1, 2))
    send_all()
    assert list(Delivery.objects.order_by("endpoint_id").values_list("state", flat=True)) == ["delivered", "pending"]
    assert {len(excerpt) for excerpt in column("SELECT excerpt FROM webhooks_deliveryattempt")} == {500}


def test_the_secret_is_not_kept_when_the_receiver_echoes_it(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url())
    receiver.plan("/hook", Answer(500, body=f"bad secret {endpoint.secret}!".encode() + b"\0\xff"))
    record_events("ord_1", range(1, 2))
    send_all()
    (excerpt,) = column("SELECT excerpt FROM webhooks_deliveryattempt")
    assert endpoint.secret not in excerpt
    assert excerpt.startswith("bad secret [redacted]!")


def test_a_broken_and_a_refused_connection_are_failures(receiver: Receiver) -> None:
    make_endpoint(receiver.url())
    receiver.plan("/hook", Answer(hangs_up=True))
    record_events("ord_1", range(1, 2))
    send_all()
    assert the_delivery().state == "pending"
    assert column("SELECT left(failure, 6) FROM webhooks_deliveryattempt") == ["broken"]


def test_an_endpoint_whose_address_is_not_public_gets_nothing(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url())
    Endpoint.objects.filter(pk=endpoint.pk).update(url=f"http://127.0.0.1:{receiver.port + 1}/hook")
    record_events("ord_1", range(1, 2))
    send_all()
    assert receiver.received == []
    assert column("SELECT failure FROM webhooks_deliveryattempt") == [
        "refused: the destination has an address that is not public"
    ]


def test_a_defect_of_one_delivery_costs_the_others_nothing(receiver: Receiver) -> None:
    broken = make_endpoint(receiver.url("/broken"))
    make_endpoint(receiver.url("/fine"))
    Endpoint.objects.filter(pk=broken.pk).update(secret="no secret at all")
    for number in range(5):
        record_events(f"ord_{number}", range(1, 3))
    send_all()
    assert len(receiver.at("/fine")) == 10
    assert receiver.at("/broken") == []
    assert Delivery.objects.filter(state="delivered").count() == 10


def test_nothing_is_sent_inside_a_transaction(receiver: Receiver) -> None:
    request = outbound.OutboundRequest(method="POST", url=receiver.url(), environment="test")
    with pytest.raises(outbound.InsideTransaction), db_transaction.atomic():
        outbound.send(request)
    assert receiver.received == []


def test_a_disabled_endpoint_s_waiting_deliveries_end_dead_at_once(
    receiver: Receiver, fixed_clock: clock.FixedClock
) -> None:
    endpoint = make_endpoint(receiver.url())
    receiver.plan("/hook", Answer(500))
    record_events("ord_1", range(1, 4))
    send_all()
    with db_transaction.atomic():
        endpoints.disable(**mine(endpoint), reason="by hand", now=fixed_clock.now())
    drains.drain("deliveries")
    assert list(Delivery.objects.values_list("state", flat=True)) == ["dead"] * 3
    assert attempts() == [(1, 500)]

    with db_transaction.atomic():
        endpoints.enable(**mine(endpoint), actor="user:ada", now=clock.now())
    record_events("ord_1", range(4, 5))
    send_all()
    assert the_state(4) == "delivered"


def test_a_redelivery_is_a_new_delivery_with_the_same_id(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url())
    record_events("ord_1", range(1, 2))
    send_all()
    first = the_delivery()
    with db_transaction.atomic():
        again = endpoints.redeliver(
            **mine(endpoint), delivery_reference=first.reference, actor="user:ada", now=clock.now()
        )
    drains.drain("deliveries")
    assert Delivery.objects.filter(state="delivered", attempts=1).count() == 2
    assert [one.id for one in receiver.received] == [first.event_reference] * 2
    move = Move.objects.get(subject=again.reference, sequence=1)
    assert (move.actor, move.evidence) == ("user:ada", {"of": first.reference})


def test_a_redelivery_of_what_waits_is_that_delivery_tried_now(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url())
    receiver.plan("/hook", Answer(500))
    record_events("ord_1", range(1, 2))
    send_all()
    waiting = the_delivery()
    assert (waiting.state, attempts()) == ("pending", [(1, 500)])
    for _ in range(3):
        with db_transaction.atomic():
            again = endpoints.redeliver(
                **mine(endpoint), delivery_reference=waiting.reference, actor="user:ada", now=clock.now()
            )
        assert again.reference == waiting.reference
    drains.drain("deliveries")
    assert the_state(1) == "delivered"
    assert len(receiver.received) == 2


def test_a_delivery_is_sent_again_once_however_often_it_is_asked(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url())
    record_events("ord_1", range(1, 2))
    send_all()
    first = the_delivery()
    made = set()
    for _ in range(3):
        with db_transaction.atomic():
            again = endpoints.redeliver(
                **mine(endpoint), delivery_reference=first.reference, actor="user:ada", now=clock.now()
            )
        made.add(again.reference)
    assert len(made) == 1
    drains.drain("deliveries")
    assert len(receiver.received) == 2


def test_a_test_event_goes_to_its_endpoint_alone(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url("/a"), topics=["order.processed"])
    make_endpoint(receiver.url("/b"))
    for number in (1, 2):
        with db_transaction.atomic():
            endpoints.send_test(**mine(endpoint), actor="user:ada", now=clock.now())
        send_all()
        assert len(receiver.at("/a")) == number
    assert receiver.at("/b") == []
    assert json.loads(receiver.received[0].body)["type"] == "webhook_endpoint.test"


def test_a_forged_end_by_raw_sql_is_refused() -> None:
    make_endpoint()
    record_events("ord_1", range(1, 2))
    drains.drain("relay")
    with pytest.raises(Exception, match="illegal move"), connection.cursor() as cursor:
        cursor.execute("UPDATE webhooks_delivery SET state = 'born again'")
    assert the_delivery().state == "pending"


def the_state(sequence: int) -> str:
    return str(Delivery.objects.get(sequence=sequence).state)


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_endpoint_whose_secret_no_key_reads_holds_up_no_other(receiver: Receiver) -> None:
    """Its deliveries fail, each with the reason, and are tried again; everybody else's are sent."""
    lost = make_endpoint(receiver.url("/lost"))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE webhooks_endpoint SET secret = 'enc1:of-another-key' WHERE reference = %s", [lost.reference]
        )
    make_endpoint(receiver.url())
    record_events("ord_1", range(1, 2))
    send_all()

    assert [one.path for one in receiver.received] == ["/hook"]
    failed = DeliveryAttempt.objects.get(http_status=None)
    assert failed.failure == "not signed: no key of SECRETS_KEYS reads its secret"
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["delivered", "pending"]
