"""What a bank answers is read as an outcome: never raises, never guesses; and what we send has the protocol's shape."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.controls import clock
from tests.wallets.gateways.questions import SECRET, OwnedTransport
from wallets.gateway_adapters import adapter, channel_adapter
from wallets.gateway_port import (
    GatewayConnection,
    NotPayable,
    Payable,
    RecipientQuery,
    RemoteRequest,
    Reply,
    Unanswered,
)
from wallets.gateways.bank_answers import PROMPTPAY, REFUSALS, TRANSFER, Words, read_lookup, read_query, read_submit
from wallets.outcomes import CameBack, Cause, Confirmed, Rejected, Unknown
from webhooks import outbound

REQUEST = RemoteRequest(
    key="pay_1:submit:v1",
    leg="submit",
    asset="THB",
    amount_minor=10_000,
    amount_text="100.00",
    user_reference="wal_1",
    owner="pay_1",
    details={
        "lookup_ref": "lkp_1",
        "proxy_type": "mobile",
        "proxy_value": "0812345678",
        "bank_code": "KBANK",
        "account_number": "1234567890",
        "name": "Somchai",
    },
)
QUERY = RecipientQuery("int_1", "THB", 10_000, "100.00", 2, REQUEST.details)


def right(words: Words) -> dict[str, Any]:
    return {
        words.key: REQUEST.key,
        "status": "settled",
        "currency": "THB",
        "amount": "100.00",
        words.response_id: "bnk_1",
        words.settlement_date: "2026-03-14",
    }


RIGHT = right(TRANSFER)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["settled", "returned", "rejected", "pending", "100.00", "100", "1e2", "THB", REQUEST.key, *REFUSALS]
    ),
)
NEARLY_RIGHT = st.dictionaries(st.sampled_from([*RIGHT, "code"]), VALUES, max_size=3).map(lambda other: RIGHT | other)
BODIES = st.one_of(
    st.binary(max_size=300),
    VALUES.map(lambda content: json.dumps(content).encode()),
    NEARLY_RIGHT.map(lambda content: json.dumps(content).encode()),
    NEARLY_RIGHT.map(lambda content: json.dumps(content).encode("utf-16")),
    st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, json.dumps(RIGHT).encode()[:-1]]),
)
STATUSES = st.one_of(st.sampled_from([200, 201, 202, 404, 409, 422, 429, 500, 503]), st.integers(100, 599))


def judge(reply: Reply, *, status: int, body: bytes, is_ask: bool) -> None:
    """Hold a reply against an oracle that reads the answer another way."""
    match reply.outcome:
        case Confirmed(remote_ref, settles, came_back):
            said = json.loads(body.decode())
            assert status in (200, 201)
            assert said["status"] in ("settled", "returned")
            assert (said["idempotency_key"], said["currency"]) == (REQUEST.key, "THB")
            assert said["amount"] in ("100", "100.0", "100.00")
            assert said["response_id"] == remote_ref
            assert settles == date.fromisoformat(said["settlement_date"])
            assert (came_back is not None) == (said["status"] == "returned")
        case Rejected(reason):
            assert status in (200, 201) or (is_ask and status == 422)
            said = json.loads(body.decode())
            assert (said["status"], said["code"], said["idempotency_key"]) == ("rejected", reason, REQUEST.key)
            assert reason in REFUSALS
        case Unknown(cause):
            assert (cause is Cause.SERVER_ERROR) == (status >= 500)
            assert reply.absent == (cause is Cause.NOT_FOUND)
            assert not (reply.absent and is_ask)
    assert reply.http_status == status


@settings(max_examples=300, deadline=None)
@given(status=STATUSES, body=BODIES)
def test_reading_never_raises_and_never_guesses(status: int, body: bytes) -> None:
    judge(read_submit(REQUEST, TRANSFER, status=status, body=body), status=status, body=body, is_ask=True)
    judge(read_lookup(REQUEST, TRANSFER, status=status, body=body), status=status, body=body, is_ask=False)
    answer = read_query(QUERY, status=status, body=body)
    assert isinstance(answer, Unanswered | NotPayable), "nothing of these is an answer to a query"


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, Confirmed("bnk_1", date(2026, 3, 14))),
        ({"status": "returned"}, Confirmed("bnk_1", date(2026, 3, 14), CameBack(10_000))),
        ({"status": "pending"}, Unknown(Cause.PENDING)),
        ({"status": "rejected", "code": "account_closed"}, Rejected("account_closed")),
        ({"status": "rejected", "code": "because"}, Unknown(Cause.UNREADABLE)),
        ({"status": "done"}, Unknown(Cause.UNREADABLE)),
        ({"amount": "100.01"}, Unknown(Cause.CONTRADICTORY)),
        ({"amount": 100}, Unknown(Cause.UNREADABLE)),
        ({"currency": "EUR"}, Unknown(Cause.CONTRADICTORY)),
        ({"idempotencyKey": "pay_2:submit:v1"}, Unknown(Cause.CONTRADICTORY)),
        ({"settlementDate": "tomorrow"}, Unknown(Cause.UNREADABLE)),
        ({"responseId": ""}, Unknown(Cause.UNREADABLE)),
    ],
)
def test_each_word_of_an_answer_counts(change: dict[str, Any], outcome: object) -> None:
    body = json.dumps(right(PROMPTPAY) | change).encode()
    assert read_submit(REQUEST, PROMPTPAY, status=200, body=body).outcome == outcome
    assert read_lookup(REQUEST, PROMPTPAY, status=200, body=body).outcome == outcome


@pytest.mark.parametrize(
    ("status", "change", "answer"),
    [
        (200, {}, Payable("lkp_1", "Somchai J.", 200)),
        (200, {"fee": "0"}, Payable("lkp_1", "Somchai J.", 0)),
        (200, {"fee": "-1.00"}, Unanswered(Cause.UNREADABLE)),
        (200, {"fee": 2}, Unanswered(Cause.UNREADABLE)),
        (200, {"fee": "0.001"}, Unanswered(Cause.UNREADABLE)),
        (200, {"fee": "100.01"}, Unanswered(Cause.CONTRADICTORY)),
        (200, {"currency": "EUR"}, Unanswered(Cause.CONTRADICTORY)),
        (200, {"receiverName": ""}, Unanswered(Cause.UNREADABLE)),
        (200, {"receiverName": "a\u0000b"}, Unanswered(Cause.UNREADABLE)),
        (200, {"lookupRef": "a b"}, Unanswered(Cause.UNREADABLE)),
        (422, {"code": "recipient_not_found"}, NotPayable("recipient_not_found")),
        (422, {"code": "what"}, Unanswered(Cause.UNREADABLE)),
        (503, {}, Unanswered(Cause.SERVER_ERROR)),
    ],
)
def test_each_word_of_a_recipient_counts(status: int, change: dict[str, Any], answer: object) -> None:
    said = {"lookupRef": "lkp_1", "receiverName": "Somchai J.", "fee": "2.00", "currency": "THB"} | change
    assert read_query(QUERY, status=status, body=json.dumps(said).encode()) == answer


@pytest.mark.parametrize("name", ["promptpay", "bank_transfer"])
@pytest.mark.parametrize(
    ("failure", "cause", "sent"),
    [
        (outbound.OutboundRefused("private"), Cause.NOT_ASKED, False),
        (outbound.NotSent("refused"), Cause.CONNECTION, False),
        (outbound.Broken("reset"), Cause.CONNECTION, True),
        (outbound.TimedOut("read"), Cause.TIMEOUT, True),
        (outbound.TooLarge(503, b"x"), Cause.SERVER_ERROR, True),
    ],
)
def test_each_failure_of_the_network_is_unknown(name: str, failure: Exception, cause: Cause, sent: bool) -> None:
    def fail() -> outbound.OutboundResponse:
        raise failure

    with outbound.use(OwnedTransport(fail)), clock.use(clock.FixedClock(datetime.now(UTC))):
        for reply in (_ask(name, REQUEST), _look_up(name, REQUEST)):
            assert (reply.outcome, reply.sent, reply.absent) == (Unknown(cause), sent, False)
        told = channel_adapter("http_promptpay").query(QUERY, connection=_AT, request_id="req_1", timeout_seconds=2)
    assert told.answer == Unanswered(cause, sent=sent)
    assert told.question.startswith("POST /promptpay/query {")


def test_the_same_request_has_the_same_body_and_names_its_key() -> None:
    transport = OwnedTransport(lambda: outbound.OutboundResponse(500, {}, b""))
    with outbound.use(transport), clock.use(clock.FixedClock(datetime.now(UTC))):
        for name in ("promptpay", "bank_transfer"):
            _ask(name, REQUEST)
            _ask(name, replace(REQUEST))
    first, second, third, fourth = transport.sent
    assert (first.body, third.body) == (second.body, fourth.body)
    assert json.loads(first.body) == {
        "lookupRef": "lkp_1",
        "proxyType": "mobile",
        "proxyValue": "0812345678",
        "amount": "100.00",
        "currency": "THB",
        "reference": "pay_1",
    }
    assert json.loads(third.body) == {
        "bank_code": "KBANK",
        "account_number": "1234567890",
        "name": "Somchai",
        "amount": "100.00",
        "currency": "THB",
        "reference": "pay_1",
    }
    for sent in transport.sent:
        assert sent.headers["idempotency-key"] == sent.headers["webhook-id"] == REQUEST.key
        assert sent.headers["not-after"].endswith("Z")


_AT = GatewayConnection("https://bank.example.com", SECRET, "test")


def _ask(name: str, request: RemoteRequest) -> Reply:
    not_after = clock.now() + timedelta(seconds=2)
    return adapter(f"http_{name}").ask(
        request, connection=_AT, request_id="req_1", not_after=not_after, timeout_seconds=2
    )


def _look_up(name: str, request: RemoteRequest) -> Reply:
    return adapter(f"http_{name}").look_up(request, connection=_AT, request_id="req_2", timeout_seconds=2)


@pytest.mark.parametrize("words", [TRANSFER, PROMPTPAY], ids=["transfer", "promptpay"])
@pytest.mark.parametrize(
    ("status", "returned", "named", "outcome"),
    [
        ("returned", "40.00", "brt_1", Confirmed("bnk_1", date(2026, 3, 14), CameBack(4_000, "brt_1"))),
        ("settled", "40.00", None, Confirmed("bnk_1", date(2026, 3, 14), CameBack(4_000))),
        ("returned", "100.00", "no blanks", Confirmed("bnk_1", date(2026, 3, 14), CameBack(10_000))),
        ("returned", "100.01", None, Unknown(Cause.UNREADABLE)),
        ("returned", "0.00", None, Unknown(Cause.UNREADABLE)),
        ("returned", 40, None, Unknown(Cause.UNREADABLE)),
    ],
)
def test_how_much_came_back_is_read_exactly_or_not_at_all(
    status: str, returned: object, named: str | None, outcome: object, words: Words
) -> None:
    content = {**right(words), "status": status, words.returned_amount: returned}
    if named is not None:
        content[words.return_id] = named
    body = json.dumps(content).encode()
    assert read_lookup(REQUEST, words, status=200, body=body).outcome == outcome
