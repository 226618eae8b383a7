"""Whatever an operator's wallet answers, reading it never raises, and confirms nothing that was not confirmed."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wallets.gateways.questions import REQUEST, OwnedTransport, ask, look_up
from wallets.answer_bodies import excerpt
from wallets.gateway_port import Reply
from wallets.gateways.operator_answers import REFUSALS, read_ask, read_lookup
from wallets.outcomes import Cause, Confirmed, Rejected, Unknown
from webhooks import outbound

RIGHT: dict[str, Any] = {
    "idempotency_key": REQUEST.key,
    "operation": "debit",
    "status": "confirmed",
    "asset": "EUR",
    "amount": "100.00",
    "remote_ref": "w-1",
}

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["confirmed", "rejected", "pending", "100.00", "100", "100.0", "1e2", "EUR", REQUEST.key, "debit", *REFUSALS]
    ),
)
JSON = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
NEARLY_RIGHT = st.dictionaries(st.sampled_from([*RIGHT, "code"]), VALUES, max_size=3).map(lambda other: RIGHT | other)
BODIES = st.one_of(
    st.binary(max_size=300),
    JSON.map(lambda content: json.dumps(content).encode()),
    NEARLY_RIGHT.map(lambda content: json.dumps(content).encode()),
    NEARLY_RIGHT.map(lambda content: json.dumps(content).encode("utf-16")),
    st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000, json.dumps(RIGHT).encode()[:-1]]),
)
STATUSES = st.one_of(
    st.sampled_from([200, 201, 202, 204, 301, 400, 401, 404, 409, 422, 429, 500, 503]), st.integers(100, 599)
)


def judge(reply: Reply, *, status: int, body: bytes, is_ask: bool) -> None:
    """Hold a reply against an oracle that reads the answer another way."""
    match reply.outcome:
        case Confirmed(remote_ref):
            assert status in (200, 201)
            said = json.loads(body.decode())
            assert said["remote_ref"] == remote_ref
            assert {name: said[name] for name in RIGHT if name not in ("amount", "remote_ref")} == {
                name: RIGHT[name] for name in RIGHT if name not in ("amount", "remote_ref")
            }
            assert said["amount"] in ("100", "100.0", "100.00")
            assert not reply.absent
        case Rejected(reason):
            assert status in (200, 201) or (is_ask and status == 422)
            said = json.loads(body.decode())
            assert (said["status"], said["code"], said["idempotency_key"]) == ("rejected", reason, REQUEST.key)
            assert reason in REFUSALS
            assert not reply.absent
        case Unknown(cause):
            assert (cause is Cause.SERVER_ERROR) == (status >= 500)
            assert reply.absent == (cause is Cause.NOT_FOUND)
            assert not (reply.absent and is_ask)
    assert reply.sent
    assert reply.http_status == status
    assert len(reply.excerpt) <= 500
    assert "\x00" not in reply.excerpt
    reply.excerpt.encode()


@settings(max_examples=300, deadline=None)
@given(status=STATUSES, body=BODIES)
def test_reading_never_raises_and_never_guesses(status: int, body: bytes) -> None:
    judge(read_ask(REQUEST, status=status, body=body), status=status, body=body, is_ask=True)
    judge(read_lookup(REQUEST, status=status, body=body), status=status, body=body, is_ask=False)


@settings(max_examples=100, deadline=None)
@given(status=STATUSES, body=BODIES, headers=st.dictionaries(st.text(), st.text(), max_size=3))
def test_the_adapter_never_raises_whatever_comes_back(status: int, body: bytes, headers: dict[str, str]) -> None:
    with outbound.use(OwnedTransport(lambda: outbound.OutboundResponse(status, headers, body))):
        judge(ask(REQUEST, "https://wallet.example.com"), status=status, body=body, is_ask=True)
        judge(look_up(REQUEST, "https://wallet.example.com"), status=status, body=body, is_ask=False)


@pytest.mark.parametrize(
    ("failure", "cause", "sent"),
    [
        (outbound.OutboundRefused("private"), Cause.NOT_ASKED, False),
        (outbound.NotSent("refused"), Cause.CONNECTION, False),
        (outbound.Broken("reset"), Cause.CONNECTION, True),
        (outbound.TimedOut("read"), Cause.TIMEOUT, True),
        (outbound.TooLarge(200, b"x"), Cause.UNREADABLE, True),
        (outbound.TooLarge(503, b"x"), Cause.SERVER_ERROR, True),
    ],
)
def test_each_failure_of_the_network_is_unknown(failure: Exception, cause: Cause, sent: bool) -> None:
    def fail() -> outbound.OutboundResponse:
        raise failure

    with outbound.use(OwnedTransport(fail)):
        for reply in (ask(REQUEST, "https://wallet.example.com"), look_up(REQUEST, "https://wallet.example.com")):
            assert (reply.outcome, reply.sent, reply.absent) == (Unknown(cause), sent, False)


@settings(max_examples=60, deadline=None)
@given(
    answer=st.one_of(
        st.binary(max_size=200),
        st.builds(lambda *parts: b"".join(parts), st.just(b"HTTP/1.1 200 OK\r\n"), st.binary(max_size=100)),
        st.builds(
            lambda status, length, body: b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, length) + body,
            st.integers(0, 1200),
            st.integers(-5, 400),
            BODIES,
        ),
    )
)
def test_any_bytes_on_the_wire_are_an_outcome(answer: bytes) -> None:
    with answering(answer) as url:
        reply = ask(REQUEST, url, seconds=1)
    if isinstance(reply.outcome, Confirmed):
        assert json.loads(answer.partition(b"\r\n\r\n")[2][: len(answer)])["idempotency_key"] == REQUEST.key
    else:
        assert isinstance(reply.outcome, (Rejected, Unknown))


@pytest.mark.parametrize(
    ("case", "status", "change", "outcome"),
    [
        ("as asked", 200, {}, Confirmed("w-1")),
        ("created", 201, {}, Confirmed("w-1")),
        ("fewer decimals of the same amount", 200, {"amount": "100"}, Confirmed("w-1")),
        ("accepted yet confirmed", 202, {}, Unknown(Cause.CONTRADICTORY)),
        ("another key", 200, {"idempotency_key": "ord_2:debit:v1"}, Unknown(Cause.CONTRADICTORY)),
        ("the key's next version", 200, {"idempotency_key": "ord_1:debit:v2"}, Unknown(Cause.CONTRADICTORY)),
        ("another operation", 200, {"operation": "credit"}, Unknown(Cause.CONTRADICTORY)),
        ("another asset", 200, {"asset": "USD"}, Unknown(Cause.CONTRADICTORY)),
        ("another amount", 200, {"amount": "100.01"}, Unknown(Cause.CONTRADICTORY)),
        ("more decimals than the asset has", 200, {"amount": "100.000"}, Unknown(Cause.CONTRADICTORY)),
        ("an exponent", 200, {"amount": "1e2"}, Unknown(Cause.CONTRADICTORY)),
        ("a number", 200, {"amount": 100}, Unknown(Cause.UNREADABLE)),
        ("no reference", 200, {"remote_ref": ""}, Unknown(Cause.UNREADABLE)),
        ("an endless reference", 200, {"remote_ref": "w" * 121}, Unknown(Cause.UNREADABLE)),
        ("an unknown status", 200, {"status": "done"}, Unknown(Cause.UNREADABLE)),
        ("still working", 202, {"status": "pending"}, Unknown(Cause.PENDING)),
        ("refused", 422, {"status": "rejected", "code": "declined"}, Rejected("declined")),
        ("refused in a word of its own", 422, {"status": "rejected", "code": "no"}, Unknown(Cause.UNREADABLE)),
        ("refused without the word", 422, {"code": "declined"}, Unknown(Cause.UNREADABLE)),
        ("refused about another amount", 422, {"status": "rejected", "code": "declined", "amount": "1.00"},
         Unknown(Cause.CONTRADICTORY)),
        ("refused as a bad request", 400, {"status": "rejected", "code": "declined"}, Unknown(Cause.UNREADABLE)),
        ("refused as an error", 500, {"status": "rejected", "code": "declined"}, Unknown(Cause.SERVER_ERROR)),
        ("throttled", 429, {"status": "rejected", "code": "declined"}, Unknown(Cause.UNREADABLE)),
        ("a redirect", 302, {}, Unknown(Cause.UNREADABLE)),
    ],
)  # fmt: skip
def test_an_ask_is_settled_only_in_the_protocols_words(
    case: str, status: int, change: dict[str, object], outcome: object
) -> None:
    assert read_ask(REQUEST, status=status, body=json.dumps(RIGHT | change).encode()).outcome == outcome


def test_a_body_that_says_a_thing_twice_is_unreadable() -> None:
    body = json.dumps(RIGHT).encode()
    twice = body[:-1] + b', "status": "confirmed"}'
    assert read_ask(REQUEST, status=200, body=body).outcome == Confirmed("w-1")
    assert read_ask(REQUEST, status=200, body=twice).outcome == Unknown(Cause.UNREADABLE)


@pytest.mark.parametrize(
    ("status", "body", "outcome", "absent"),
    [
        (404, b'{"code":"not_found","idempotency_key":"ord_1:debit:v1"}', Unknown(Cause.NOT_FOUND), True),
        (404, b'{"code":"not_found"}', Unknown(Cause.NOT_FOUND), True),
        (404, b'{"code":"not_found","idempotency_key":"ord_2:debit:v1"}', Unknown(Cause.CONTRADICTORY), False),
        (404, b'{"code":"no_such_page"}', Unknown(Cause.UNREADABLE), False),
        (404, b"<h1>Not found</h1>", Unknown(Cause.UNREADABLE), False),
        (410, b'{"code":"not_found"}', Unknown(Cause.UNREADABLE), False),
        (500, b'{"code":"not_found"}', Unknown(Cause.SERVER_ERROR), False),
    ],
)
def test_a_lookup_finds_nothing_only_in_the_protocols_words(
    status: int, body: bytes, outcome: object, absent: bool
) -> None:
    reply = read_lookup(REQUEST, status=status, body=body)
    assert (reply.outcome, reply.absent) == (outcome, absent)
    assert not read_ask(REQUEST, status=status, body=body).absent


def test_an_excerpt_is_short_and_printable_and_tells_no_secret() -> None:
    told = excerpt(
        b'{"a":"whsec_MDEyMzQ1Njc4OTAx","b":"hf_test_abcdef","c":"Bearer abc.def",\r\n\x00"d":"v1,'
        + b"A" * 44
        + b'"}'
        + b"x" * 600
    )
    assert told.startswith(
        '{"a":"whsec_[redacted]","b":"hf_test_[redacted]","c":"Bearer [redacted]", "d":"v1,[redacted]"}'
    )
    assert len(told) == 500


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Serve one connection that is told these bytes and closed."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            read = b""
            while b"\r\n\r\n" not in read or not read.endswith(b"}"):
                if not (chunk := connection.recv(65536)):
                    return
                read += chunk
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with override_settings(OUTBOUND_ALLOW=[("127.0.0.1", port)]):
            yield f"http://127.0.0.1:{port}"
        thread.join(5)
