"""The adapter against the sandbox, over real HTTP: each fault becomes the outcome that it proves, and no other."""

import json
import socket
from dataclasses import dataclass

import pytest

from tests.sandbox import RunningSandbox
from tests.wallets.gateways.questions import REQUEST, SECRET, OwnedTransport, ask, look_up, request_of
from wallets.gateway_adapters import NoSuchAdapter, adapter
from wallets.outcomes import Cause, Confirmed, Outcome, Rejected, Unknown
from wallets.sandbox.faults import COURSES
from webhooks import outbound

SEEN = Confirmed("wal_5f618d0cbf79b1ee0f9e")
UNSEEN = Unknown(Cause.NOT_FOUND)


@dataclass(frozen=True)
class Fault:
    """What the adapter makes of the ask, of a lookup at once, and of one six seconds later."""

    word: str
    ask: Outcome
    status: int | None
    lookup: Outcome
    later: Outcome


FAULTS = [
    Fault("alice", SEEN, 200, SEEN, SEEN),
    Fault("declined", Rejected("declined"), 422, Rejected("declined"), Rejected("declined")),
    Fault(
        "insufficient",
        Rejected("insufficient_funds"),
        422,
        Rejected("insufficient_funds"),
        Rejected("insufficient_funds"),
    ),
    Fault("too-late", Rejected("too_late"), 422, UNSEEN, UNSEEN),
    Fault("timeout-before", Unknown(Cause.TIMEOUT), None, UNSEEN, UNSEEN),
    Fault("timeout-after", Unknown(Cause.TIMEOUT), None, SEEN, SEEN),
    Fault("slow", Unknown(Cause.TIMEOUT), None, SEEN, SEEN),
    Fault("error-before", Unknown(Cause.SERVER_ERROR), 500, UNSEEN, UNSEEN),
    Fault("error-after", Unknown(Cause.SERVER_ERROR), 500, SEEN, SEEN),
    Fault("reset-before", Unknown(Cause.CONNECTION), None, UNSEEN, UNSEEN),
    Fault("reset", Unknown(Cause.CONNECTION), None, SEEN, SEEN),
    Fault("pending", Unknown(Cause.PENDING), 202, Unknown(Cause.PENDING), SEEN),
    Fault("pending-declined", Unknown(Cause.PENDING), 202, Unknown(Cause.PENDING), Rejected("declined")),
    Fault("pending-twice", Unknown(Cause.PENDING), 202, Unknown(Cause.PENDING), SEEN),
    Fault("pending-reordered", Unknown(Cause.PENDING), 202, Unknown(Cause.PENDING), SEEN),
    Fault("pending-long", Unknown(Cause.PENDING), 202, Unknown(Cause.PENDING), Unknown(Cause.PENDING)),
    Fault("event-early", Unknown(Cause.TIMEOUT), None, SEEN, SEEN),
    Fault("garbled", Unknown(Cause.UNREADABLE), 200, SEEN, SEEN),
    Fault("other-amount", Unknown(Cause.CONTRADICTORY), 200, SEEN, SEEN),
    Fault(
        "other-amount-always",
        Unknown(Cause.CONTRADICTORY),
        200,
        Unknown(Cause.CONTRADICTORY),
        Unknown(Cause.CONTRADICTORY),
    ),
    Fault("other-key", Unknown(Cause.CONTRADICTORY), 200, SEEN, SEEN),
    Fault("not-found-for-a-while", Unknown(Cause.SERVER_ERROR), 500, UNSEEN, SEEN),
    Fault("throttled", Unknown(Cause.UNREADABLE), 429, UNSEEN, UNSEEN),
    Fault("lost", Unknown(Cause.SERVER_ERROR), 500, Unknown(Cause.SERVER_ERROR), Unknown(Cause.SERVER_ERROR)),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.word)
def test_each_fault_becomes_the_outcome_that_it_proves(fault: Fault, sandbox: RunningSandbox) -> None:
    sandbox.wallet_secret(SECRET)
    request = request_of("alice" if fault.word == "alice" else f"magic-{fault.word}.alice")
    limit = 0.25 if fault.ask == Unknown(Cause.TIMEOUT) else 5
    asked = ask(request, sandbox.url, seconds=limit)
    assert (asked.outcome, asked.http_status, asked.sent, asked.absent) == (fault.ask, fault.status, True, False)
    at_once = look_up(request, sandbox.url)
    assert (at_once.outcome, at_once.absent) == (fault.lookup, fault.lookup == UNSEEN)
    sandbox.advance(6)
    later = look_up(request, sandbox.url)
    assert (later.outcome, later.absent) == (fault.later, fault.later == UNSEEN)
    assert {row["signature"] for row in sandbox.requests()} == {"verified"}
    assert [row["request_id"] for row in sandbox.requests()] == ["req_1", "req_2", "req_2"]


def test_every_magic_word_is_in_the_table() -> None:
    assert {fault.word for fault in FAULTS} - {"alice"} == set(COURSES)


@pytest.mark.parametrize("leg", ["debit", "credit", "reverse"])
def test_each_leg_is_asked_at_its_own_address(leg: str, sandbox: RunningSandbox) -> None:
    ask(request_of("alice"), sandbox.url)
    reply = ask(request_of("alice", leg=leg), sandbox.url + "/")
    assert isinstance(reply.outcome, Confirmed)
    (asked,) = sandbox.operations(f"ord_1:{leg}:v1")
    assert (asked["operation"], asked["amount"], asked["asset"]) == (leg, "100.00", "EUR")


def test_the_same_request_asked_twice_moves_money_once(sandbox: RunningSandbox) -> None:
    assert ask(REQUEST, sandbox.url).outcome == ask(REQUEST, sandbox.url).outcome == SEEN
    assert sandbox.asked() == ["debit confirmed", "debit replayed"]
    assert sandbox.applied() == [("debit", "100.00")]


def test_another_request_under_the_same_key_is_a_contradiction(sandbox: RunningSandbox) -> None:
    ask(REQUEST, sandbox.url)
    assert ask(request_of("bob"), sandbox.url).outcome == Unknown(Cause.CONTRADICTORY)
    assert sandbox.applied() == [("debit", "100.00")]


def test_an_ask_that_arrives_after_not_after_is_never_applied(sandbox: RunningSandbox) -> None:
    assert ask(REQUEST, sandbox.url, not_after=-0.05).outcome == Rejected("too_late")
    assert sandbox.applied() == []
    assert look_up(REQUEST, sandbox.url).absent
    assert ask(REQUEST, sandbox.url).outcome == SEEN


def test_a_refused_signature_proves_nothing(sandbox: RunningSandbox) -> None:
    sandbox.wallet_secret("whsec_OTg3NjU0MzIxMDk4NzY1NDMyMTA5ODc2NTQzMjEwOTg=")
    asked, looked = ask(REQUEST, sandbox.url), look_up(REQUEST, sandbox.url)
    assert (asked.outcome, asked.http_status) == (Unknown(Cause.UNREADABLE), 401)
    assert (looked.outcome, looked.absent) == (Unknown(Cause.UNREADABLE), False)
    assert sandbox.applied() == []


def test_a_404_of_somebody_else_is_not_absence(sandbox: RunningSandbox) -> None:
    reply = look_up(REQUEST, sandbox.url + "/elsewhere")
    assert (reply.outcome, reply.http_status, reply.absent) == (Unknown(Cause.UNREADABLE), 404, False)


def test_when_nobody_listens_nothing_was_sent_and_yet_the_outcome_is_unknown(sandbox: RunningSandbox) -> None:
    sandbox.stop()
    for reply in (ask(REQUEST, sandbox.url), look_up(REQUEST, sandbox.url)):
        assert (reply.outcome, reply.sent, reply.http_status) == (Unknown(Cause.CONNECTION), False, None)


@pytest.mark.parametrize(
    ("url", "environment"),
    [("", "live"), ("http://127.0.0.1:1", "test"), ("http://169.254.169.254/latest", "test"), ("file:///etc", "test")],
)
def test_a_forbidden_address_is_never_asked(url: str, environment: str, sandbox: RunningSandbox) -> None:
    reply = ask(REQUEST, url or sandbox.url, environment=environment)
    assert (reply.outcome, reply.sent) == (Unknown(Cause.NOT_ASKED), False)
    assert sandbox.requests() == []


def test_a_wallet_that_accepts_and_says_nothing_times_out() -> None:
    from django.test import override_settings

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with override_settings(OUTBOUND_ALLOW=[("127.0.0.1", port)]):
            reply = ask(REQUEST, f"http://127.0.0.1:{port}", seconds=0.1)
    assert (reply.outcome, reply.sent) == (Unknown(Cause.TIMEOUT), True)


def test_the_body_is_the_same_bytes_every_time_and_only_its_stamps_differ() -> None:
    transport = OwnedTransport(lambda: outbound.OutboundResponse(500, {}, b""))
    with outbound.use(transport):
        ask(REQUEST, "https://wallet.example.com/base/")
        ask(REQUEST, "https://wallet.example.com/base")
        look_up(REQUEST, "https://wallet.example.com/base")
    first, second, lookup = transport.sent
    assert first.body == second.body
    assert json.loads(first.body) == {
        "operation": "debit",
        "asset": "EUR",
        "amount": "100.00",
        "user_reference": "alice",
        "reference": "ord_1",
        "metadata": {"partner_order_id": "p-1"},
    }
    assert (first.method, first.url) == ("POST", "https://wallet.example.com/base/debit")
    assert first.url == second.url
    assert (lookup.method, lookup.body) == ("GET", b"")
    assert lookup.url == "https://wallet.example.com/base/operations/ord_1:debit:v1"
    assert (
        first.headers["idempotency-key"] == first.headers["webhook-id"] == lookup.headers["webhook-id"] == REQUEST.key
    )
    assert SECRET.removeprefix("whsec_") not in str(transport.sent)


def test_a_name_that_the_settings_lack_is_a_defect() -> None:
    with pytest.raises(NoSuchAdapter):
        adapter("smoke_signals")
