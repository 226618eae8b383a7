"""0Pools, "Webhook handler pattern", step by step, through HTTP, with real locks and constraints."""

import importlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.controls.moves import IllegalMove
from ledger.controls.refusals import Malformed
from ledger.models import Event, Move
from tests.threads import raise_first
from tests.webhooks.provider import (
    HMAC_SECRET,
    KIND,
    STANDARD,
    Sender,
    counts,
    event,
    hmac_of,
    hmac_terms,
    make_sender,
    message,
    stored,
)
from webhooks import booked_transactions, inbox_worker, providers, routing
from webhooks.models import InboundEvent, Provider, ProviderTransaction
from webhooks.routing import Applied, Ignored, InboundMessage, Judgement, Parked

pytestmark = pytest.mark.usefixtures("database")


@contextmanager
def handling(handler: Callable[[InboundMessage], Judgement], kind: str = KIND) -> Iterator[None]:
    routing.handle(kind, handler)
    try:
        yield
    finally:
        routing.unhandle(kind)


@pytest.fixture
def sender() -> Sender:
    return make_sender()


# --- 1. Verify signature over raw body --------------------------------------------------------------------


def test_signature_is_verified_over_the_raw_body(sender: Sender) -> None:
    """The same JSON in other bytes is another message."""
    body = message(data={"transact_id": "trd_1"})
    headers = sender.signed("evt_1", body)
    assert sender.post(json.dumps(json.loads(body), indent=1).encode(), headers).status_code == 401
    assert (stored(), counts()) == ([], {"bad_signature": 1})
    assert sender.post(body, headers).status_code == 202


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (lambda headers: headers.pop("webhook-signature"), "bad_signature"),
        (lambda headers: headers.pop("webhook-id"), "bad_signature"),
        (lambda headers: headers.update({"webhook-id": "evt_2"}), "bad_signature"),
        (lambda headers: headers.update({"webhook-signature": "v1,AAAA"}), "bad_signature"),
        (lambda headers: headers.update({"webhook-signature": "v2," + "A" * 44}), "bad_signature"),
        (lambda headers: headers.update({"webhook-signature": "," * 4000}), "bad_signature"),
        (lambda headers: headers.update({"webhook-timestamp": "-1"}), "bad_signature"),
        (lambda headers: headers.update({"webhook-timestamp": "9" * 400}), "bad_signature"),
        (lambda headers: headers.update({"webhook-timestamp": "\u0661"}), "bad_signature"),
        (lambda headers: headers.update({"webhook-timestamp": "1"}), "stale_timestamp"),
    ],
)
def test_message_is_refused_and_counted_when_its_signature_does_not_fit(
    sender: Sender, spoil: Callable[[dict[str, str]], object], reason: str
) -> None:
    body = message()
    headers = sender.signed("evt_1", body)
    spoil(headers)
    assert sender.post(body, headers).status_code == 401
    assert (stored(), counts()) == ([], {reason: 1})


@pytest.mark.parametrize("age, status", [(299, 202), (302, 401), (-299, 202), (-302, 401)])
def test_stale_timestamp_is_refused(sender: Sender, age: int, status: int) -> None:
    with clock.use(clock.FixedClock(clock.now())):
        assert sender.send(age=age).status_code == status
    assert counts() == ({} if status == 202 else {"stale_timestamp": 1})


def test_signature_of_another_provider_is_refused(sender: Sender) -> None:
    other = make_sender("other")
    body = message()
    assert sender.post(body, other.signed("evt_1", body)).status_code == 401
    assert stored() == []


def test_unknown_and_disabled_providers_look_alike(sender: Sender) -> None:
    """Who may not send does not learn which codes exist."""
    with db_transaction.atomic():
        providers.disable(code=sender.code, reason="test", now=clock.now())
    refused = [sender.send(), Sender("nobody", sender.secret).send()]
    assert [answer.status_code for answer in refused] == [401, 401]
    assert len({json.dumps({**answer.json(), "request_id": ""}) for answer in refused}) == 1
    assert (stored(), counts()) == ([], {"disabled": 1, "unknown_provider": 1})


def test_both_secrets_verify_during_a_rotation_and_the_older_ends_with_the_overlap(sender: Sender) -> None:
    with clock.use(clock.FixedClock(clock.now())) as fixed:
        assert isinstance(fixed, clock.FixedClock)
        with db_transaction.atomic():
            made = providers.rotate(code=sender.code, overlap=timedelta(hours=1), now=clock.now())
        newer = Sender(sender.code, made.secret)
        assert [sender.send("evt_1").status_code, newer.send("evt_2").status_code] == [202, 202]
        fixed.move_to(fixed.now() + timedelta(hours=1))
        assert [sender.send("evt_3").status_code, newer.send("evt_4").status_code] == [401, 202]


@pytest.mark.parametrize(
    "scheme, timestamp_header",
    [
        (Provider.Scheme.HMAC_HEX, ""),
        (Provider.Scheme.HMAC_HEX, "X-Acme-Time"),
        (Provider.Scheme.HMAC_BASE64, ""),
        (Provider.Scheme.HMAC_BASE64, "X-Acme-Time"),
        (Provider.Scheme.HMAC_TIMESTAMPED, ""),
    ],
)
def test_every_scheme_verifies_and_refuses(scheme: Provider.Scheme, timestamp_header: str) -> None:
    acme = make_sender(terms=hmac_terms(scheme, timestamp_header=timestamp_header), secret=HMAC_SECRET)
    body = json.dumps({"id": "e-1", "type": KIND, "data": {"transact_id": 7}}).encode()
    now = int(clock.now().timestamp())

    def headers(timestamp: int, secret: str) -> dict[str, str]:
        base64_text = scheme == Provider.Scheme.HMAC_BASE64
        if scheme == Provider.Scheme.HMAC_TIMESTAMPED:
            made = hmac_of(f"{timestamp}.".encode() + body, secret=secret)
            return {"X-Acme-Signature": f"t={timestamp},v0=zz,v1={made}"}
        if timestamp_header:
            made = hmac_of(f"{timestamp}.".encode() + body, secret=secret, base64_text=base64_text)
            return {"X-Acme-Signature": made, timestamp_header: str(timestamp)}
        return {"X-Acme-Signature": hmac_of(body, secret=secret, base64_text=base64_text)}

    assert acme.post(body, headers(now, "another secret of that length")).status_code == 401
    assert acme.post(body, {}).status_code == 401
    if timestamp_header or scheme == Provider.Scheme.HMAC_TIMESTAMPED:
        assert acme.post(body, headers(now - 400, HMAC_SECRET)).status_code == 401
    assert stored() == []
    assert acme.post(body, headers(now, HMAC_SECRET)).status_code == 202
    assert (stored(), event("e-1").subjects) == (["e-1"], ["7"])


# --- 2. Dedupe by event id --------------------------------------------------------------------------------


def test_event_is_stored_once_when_it_comes_again(sender: Sender) -> None:
    first, again = sender.send(), sender.send()
    assert (first.status_code, first.json()) == (202, {"received": True, "known": False})
    assert (again.status_code, again.json()) == (200, {"received": True, "known": True})
    assert (stored(), counts()) == (["evt_1"], {"repeated": 1})


def test_first_content_counts_when_an_id_comes_again_with_another(sender: Sender) -> None:
    sender.send(data={"transact_id": "trd_1"})
    assert sender.send(data={"transact_id": "trd_2"}).status_code == 200
    assert (event().subjects, counts()) == (["trd_1"], {"repeated_with_other_content": 1})


def test_two_providers_may_use_one_event_id(sender: Sender) -> None:
    assert [sender.send().status_code, make_sender("other").send().status_code] == [202, 202]
    assert stored() == ["evt_1", "evt_1"]


def test_constraint_decides_when_an_event_comes_many_times_at_once(
    sender: Sender, run_threads: Callable[..., Sequence[Any]]
) -> None:
    start = threading.Barrier(8)

    def send() -> int:
        start.wait(10)
        return int(sender.send().status_code)

    ends = run_threads(*[send] * 8)
    raise_first(ends)
    assert sorted(ends) == [200] * 7 + [202]
    assert stored() == ["evt_1"]
    assert Move.objects.filter(machine="inbound_event").count() == 1


def test_raw_sql_cannot_store_an_event_twice(sender: Sender) -> None:
    sender.send()
    row = event()
    row.pk, row.reference = None, "inb_other"
    with pytest.raises(IntegrityError, match="inbound_event_once"):
        row.save(force_insert=True)


# --- 3. Load the trade/order · 4. Compare · 5. Apply only legal forward state transitions ----------------


def test_handler_is_told_what_the_event_names_and_what_it_does_is_applied(sender: Sender) -> None:
    told: list[InboundMessage] = []

    def handler(told_of: InboundMessage) -> Judgement:
        told.append(told_of)
        return Applied("trd_1: settled")

    sender.send(data={"quote_id": "quo_1", "transact_id": "trd_1", "status": "settled", "reference": "t-9"})
    with handling(handler):
        assert drains.drain("inbox") == 1
    assert (told[0].subjects, told[0].transaction, told[0].kind) == (("quo_1", "trd_1"), "t-9", KIND)
    assert told[0].content == {
        "type": KIND,
        "data": {"quote_id": "quo_1", "transact_id": "trd_1", "status": "settled", "reference": "t-9"},
    }
    assert (event().state, event().reason) == ("applied", "trd_1: settled")
    assert event().judged_at is not None
    assert drains.drain("inbox") == 0


@pytest.mark.parametrize(
    "judgement, state",
    [
        (Ignored("trd_1 is settled already"), "ignored"),
        (Ignored("settled to reserved is no move"), "ignored"),
        (Parked("trd_1 is not here yet"), "parked"),
    ],
)
def test_stale_repeated_illegal_and_early_events_keep_their_reason(
    sender: Sender, judgement: Ignored | Parked, state: str
) -> None:
    sender.send()
    with handling(lambda _: judgement):
        drains.drain("inbox")
    assert (event().state, event().reason) == (state, judgement.reason)


def test_event_of_a_kind_that_nobody_handles_is_ignored(sender: Sender) -> None:
    sender.send(kind="marketing.hello")
    drains.drain("inbox")
    assert (event().state, event().reason) == ("ignored", "nobody here handles marketing.hello")


def test_early_event_is_tried_again_and_applied_when_our_commit_has_come(sender: Sender) -> None:
    arrived = False
    sender.send()
    with clock.use(clock.FixedClock(clock.now())) as fixed, handling(lambda _: _once(arrived)):
        assert isinstance(fixed, clock.FixedClock)
        drains.drain("inbox")
        assert (event().state, event().attempts) == ("parked", 1)
        assert drains.depth("inbox") == 0
        arrived = True
        fixed.move_to(fixed.now() + timedelta(seconds=2))
        assert drains.drain("inbox") == 1
    assert (event().state, event().reason) == ("applied", "now it is here")
    moves = Move.objects.filter(subject=event().reference).order_by("sequence")
    assert [(move.from_state, move.to_state) for move in moves] == [
        ("", "received"),
        ("received", "parked"),
        ("parked", "applied"),
    ]


def _once(arrived: bool) -> Judgement:
    return Applied("now it is here") if arrived else Parked("not here yet")


def test_parked_event_is_dead_after_the_last_try_and_replayed_by_hand(sender: Sender) -> None:
    sender.send()
    waits: list[timedelta] = []
    with clock.use(clock.FixedClock(clock.now())) as fixed:
        assert isinstance(fixed, clock.FixedClock)
        with handling(lambda _: Parked("never here")):
            for _ in range(inbox_worker.TRIES):
                assert drains.drain("inbox") == 1
                waits.append(event().available_at - fixed.now())
                fixed.move_to(max(event().available_at, fixed.now()))
            assert (event().state, event().attempts, drains.drain("inbox")) == ("dead", inbox_worker.TRIES, 0)
        assert waits[1] > waits[0]
        assert max(waits) <= timedelta(minutes=12)
        with db_transaction.atomic():
            inbox_worker.replay(reference=event().reference, actor="user:olga", now=fixed.now())
        assert (event().state, event().attempts) == ("received", 0)
        with handling(lambda _: Applied("found")):
            drains.drain("inbox")
    assert event().state == "applied"
    assert Move.objects.filter(subject=event().reference, actor="user:olga", to_state="received").count() == 1


def test_what_is_held_up_by_people_does_not_use_up_its_tries(sender: Sender) -> None:
    sender.send()
    with clock.use(clock.FixedClock(clock.now())) as fixed, handling(lambda _: Parked("frozen", counts=False)):
        assert isinstance(fixed, clock.FixedClock)
        for _ in range(inbox_worker.TRIES + 3):
            assert drains.drain("inbox") == 1
            fixed.move_to(event().available_at)
    assert (event().state, event().attempts) == ("parked", 0)


@pytest.mark.parametrize("state", ["applied", "ignored", "received"])
def test_only_a_dead_event_is_replayed(sender: Sender, state: str) -> None:
    sender.send()
    if state != "received":
        with handling(lambda _: Applied("x") if state == "applied" else Ignored("x")):
            drains.drain("inbox")
    before = InboundEvent.objects.values().get()
    with pytest.raises(IllegalMove), db_transaction.atomic():
        inbox_worker.replay(reference=event().reference, actor="user:olga", now=clock.now())
    assert InboundEvent.objects.values().get() == before


def test_handler_s_writes_are_undone_and_the_event_is_parked_when_it_raises(sender: Sender) -> None:
    def handler(told: InboundMessage) -> Judgement:
        ProviderTransaction.objects.create(
            provider_id=1, reference="t", kind="k", event_reference=told.reference, booked_at=clock.now()
        )
        raise RuntimeError("whsec_c2VjcmV0IHRoYXQgbm9ib2R5IG1heSBzZWU= is broken")

    sender.send("evt_1")
    sender.send("evt_2", kind="other")
    with handling(handler):
        assert drains.drain("inbox") == 2
    assert ProviderTransaction.objects.count() == 0
    assert (event().state, event().reason) == (
        "parked",
        "the handler failed: RuntimeError: whsec_[redacted] is broken",
    )
    assert event("evt_2").state == "ignored", "one event's defect held up another"


def test_handler_s_writes_are_undone_when_it_parks_its_event(sender: Sender) -> None:
    """What it booked for the event before it saw that it came too early would else be booked without it."""

    def half_done(message: InboundMessage) -> Judgement:
        assert booked_transactions.book_once(message, kind="payin", now=clock.now())
        return Parked("not here yet")

    sender.send("evt_1", data={"reference": "txn_1"})
    with handling(half_done):
        drains.drain("inbox")
    assert (event().state, event().reason) == ("parked", "not here yet")
    assert not ProviderTransaction.objects.exists()


def test_nothing_is_lost_when_the_worker_dies_before_its_commit(sender: Sender) -> None:
    def kill(_: InboundMessage) -> Judgement:
        raise KeyboardInterrupt

    sender.send()
    with pytest.raises(KeyboardInterrupt), handling(kill):
        drains.drain("inbox")
    assert (event().state, event().attempts) == ("received", 0)
    with handling(lambda _: Applied("x")):
        assert drains.drain("inbox") == 1


def test_each_event_is_judged_once_when_several_workers_run(
    sender: Sender, run_threads: Callable[..., Sequence[Any]]
) -> None:
    judged: list[str] = []
    for number in range(40):
        sender.send(f"evt_{number}")

    def handler(told: InboundMessage) -> Judgement:
        judged.append(told.reference)
        return Applied("x")

    with handling(handler):
        ends = run_threads(*[lambda: drains.drain("inbox")] * 4)
    raise_first(ends)
    assert len(judged) == len(set(judged)) == 40
    assert sum(ends) == 40


def test_transaction_is_booked_once_when_it_is_announced_under_several_event_ids(
    sender: Sender, run_threads: Callable[..., Sequence[Any]]
) -> None:
    """Rule I2: unique (provider, reference, kind)."""

    def handler(told: InboundMessage) -> Judgement:
        if not booked_transactions.book_once(told, kind="payin", now=clock.now()):
            return Ignored(f"{told.transaction} is booked already")
        return Applied(f"{told.transaction} booked")

    for number in range(6):
        sender.send(f"evt_{number}", data={"reference": "txn_1"})
    sender.send("evt_other", data={"reference": "txn_2"})
    with handling(handler):
        raise_first(run_threads(*[lambda: drains.drain("inbox")] * 3))
    states = list(InboundEvent.objects.values_list("state", flat=True))
    assert (states.count("applied"), states.count("ignored")) == (2, 5)
    assert sorted(ProviderTransaction.objects.values_list("reference", flat=True)) == ["txn_1", "txn_2"]


def test_inbound_events_announce_nothing(sender: Sender) -> None:
    sender.send()
    with handling(lambda _: Applied("x")):
        drains.drain("inbox")
    assert Event.objects.count() == 0


# --- 6. Store event payload reference and request metadata -----------------------------------------------


def test_body_is_stored_as_its_bytes_with_its_digest_and_the_request_s_metadata(sender: Sender) -> None:
    body = b'{"type": "transfer.updated",\n "data": {"transact_id": "trd_1", "note": "\xc5\xbc"}}  '
    headers = {
        **sender.signed("evt_1", body),
        "X-Request-Id": "req_theirs",
        "User-Agent": "acme/1",
        "Authorization": "Bearer of-secrets",
        "Cookie": "session=hidden",
    }
    assert sender.post(body, headers).status_code == 202
    row = event()
    assert bytes(row.body) == body
    assert row.payload_reference.startswith("sha256:")
    assert len(row.payload_reference) == 71
    assert (row.request_id, row.environment, row.operator_id) == ("req_theirs", "test", 71)
    assert set(row.headers) == {"content-type", "user-agent", "webhook-id", "webhook-timestamp", "x-request-id"}


def test_what_arrived_stays_as_it_arrived(sender: Sender, application_connection: psycopg.Connection[Any]) -> None:
    """Rule L2, tried with raw SQL."""
    sender.send()
    for change in ("body = 'x'", "provider_event_id = 'other'", "headers = '{}'", "kind = 'other'"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            application_connection.execute(f"UPDATE webhooks_inboundevent SET {change}")
    for statement in ("DELETE FROM webhooks_inboundevent", "TRUNCATE webhooks_inboundevent"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application_connection.execute(statement)
    application_connection.execute("UPDATE webhooks_inboundevent SET state = 'dead'")
    with pytest.raises(psycopg.errors.CheckViolation, match="illegal move"):
        application_connection.execute("UPDATE webhooks_inboundevent SET state = 'applied'")


# --- 7. Return 2xx quickly --------------------------------------------------------------------------------


def test_answer_is_2xx_while_somebody_holds_what_the_event_is_about(
    sender: Sender, application_connection: psycopg.Connection[Any]
) -> None:
    """Neither a new event nor a repeat waits for the worker, nor for whoever holds the row that it waits for."""
    sender.send("evt_1")
    with application_connection.transaction():
        application_connection.execute("SELECT FROM webhooks_inboundevent FOR UPDATE")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        try:
            assert sender.send("evt_1").status_code == 200
            assert sender.send("evt_2").status_code == 202
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")


def test_get_and_others_are_not_taken(sender: Sender) -> None:
    from django.test import Client

    for method in ("get", "put", "delete", "patch"):
        answer = getattr(Client(), method)(f"/v1/inbox/{sender.code}")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


# --- what is refused leaves a count and nothing else -----------------------------------------------------


@pytest.mark.parametrize(
    "body, content_type, reason",
    [
        (b"", "application/json", "no_length"),
        (b"{", "application/json", "not_json"),
        (b"\xff\xfe{\x00}\x00", "application/json", "not_json"),
        (b'{"type": "a", "type": "b"}', "application/json", "not_json"),
        (b'{"type": NaN}', "application/json", "not_json"),
        (b'{"type": "\\ud800"}', "application/json", "not_json"),
        (b"[" * 5000, "application/json", "not_json"),
        (b'{"a":' * 3000 + b"1" + b"}" * 3000, "application/json", "not_json"),
        (b"[]", "application/json", "no_event_id"),
        (b"1", "application/json", "no_event_id"),
        (b'{"type": 1.5}', "application/json", "no_event_id"),
        (b'{"type": {"a": 1}}', "application/json", "no_event_id"),
        (b'{"type": "a\\u0000b"}', "application/json", "no_event_id"),
        (b'{"type": "' + b"a" * 200 + b'"}', "application/json", "no_event_id"),
        (b'{"type": "a"}', "application/xml", "content_type"),
        (b'{"type": "a"}', "application/json; charset=latin-1", "content_type"),
        (b"type=a", "application/x-www-form-urlencoded", "content_type"),
        (b"--x--", "multipart/form-data; boundary=x", "content_type"),
    ],
)
def test_unreadable_message_is_400_and_counted(sender: Sender, body: bytes, content_type: str, reason: str) -> None:
    answer = sender.post(body, sender.signed("evt_1", body), content_type=content_type)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_readable")
    assert (stored(), counts()) == ([], {reason: 1})


def test_encoded_body_is_refused(sender: Sender) -> None:
    body = message()
    answer = sender.post(body, {**sender.signed("evt_1", body), "Content-Encoding": "gzip"})
    assert (answer.status_code, counts()) == (400, {"content_encoding": 1})


def test_body_is_refused_by_its_stated_length_before_it_is_read(sender: Sender) -> None:
    Provider.objects.update(size_limit=100)
    body = b'"' + b"a" * 99 + b'"'
    assert sender.post(body, sender.signed("evt_1", body)).status_code == 413
    assert (stored(), counts()) == ([], {"too_large": 1})


def test_provider_is_checked_when_it_is_made() -> None:
    for spoilt in (
        {"code": "-a"},
        {"code": "a b"},
        {"secret": "whsec_short"},
        {"terms": replace(STANDARD, kind="")},
        {"terms": replace(STANDARD, scheme=Provider.Scheme.HMAC_HEX)},
        {"terms": replace(STANDARD, tolerance_seconds=0)},
        {"terms": replace(STANDARD, size_limit=10**9)},
        {"terms": replace(STANDARD, kinds=())},
        {"terms": replace(STANDARD, kinds=("payin.*.more",))},
        {"terms": replace(STANDARD, kinds=("pay*",))},
    ):
        given = {"code": "acme", "secret": "", "terms": STANDARD, **spoilt}
        with pytest.raises(Malformed):
            providers.create(environment="test", operator_id=None, now=clock.now(), **given)  # type: ignore[arg-type]  # a table of bad values
    assert Provider.objects.count() == 0


@pytest.mark.parametrize(
    ("mapping", "kinds"),
    [
        ({"subjects": ["data.idempotency_key"], "transaction": ""}, ["operation.updated"]),
        (
            {"subjects": ["data.idempotency_key"], "transaction": "data.return_id"},
            ["payout.updated", "payout.returned"],
        ),
        ({"subjects": ["data.transact_id", "data.quote_id"], "transaction": ""}, ["trade.*"]),
        ({"subjects": ["data.wallet_id"], "transaction": "data.transaction_id"}, ["payin.*"]),
        ({"subjects": ["data.object.id"], "transaction": ""}, []),
        ({}, []),
    ],
)
def test_providers_that_stood_may_bring_what_they_are_for(mapping: dict[str, object], kinds: list[str]) -> None:
    usual = importlib.import_module("webhooks.migrations.0020_kinds_of_providers")._usual
    assert usual(mapping) == kinds
