"""The wallet's `operation.updated` events: which are sent, when, how signed, and how often they are tried."""

import json

import pytest
from standardwebhooks import Webhook

from tests.wallets.sandbox.calls import Desk
from wallets.sandbox.news import Message

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
KEY = "ord_1:debit:v1"


@pytest.fixture
def telling(desk: Desk) -> Desk:
    body = json.dumps({"url": "http://127.0.0.1:8000/v1/inbox/shop", "secret": SECRET}).encode()
    assert desk.send("POST", "/admin/inbox", body, {}).status == 200
    return desk


def told(messages: list[Message]) -> list[tuple[str, str]]:
    return [
        (json.loads(one.body)["data"]["idempotency_key"], json.loads(one.body)["data"]["status"]) for one in messages
    ]


@pytest.mark.parametrize(
    "word, at_once, later",
    [
        ("alice", [], []),
        ("magic-declined", [], []),
        ("magic-timeout-after", [], []),
        ("magic-pending", [], ["confirmed"]),
        ("magic-pending-declined", [], ["rejected"]),
        ("magic-pending-twice", [], ["confirmed"] * 3),
        ("magic-pending-reordered", [], ["confirmed", "pending"]),
        ("magic-event-early", ["confirmed"], []),
    ],
)
def test_events_are_due_when_the_word_says(word: str, at_once: list[str], later: list[str], telling: Desk) -> None:
    telling.ask(word)
    messenger = telling.sandbox.messenger
    assert told(messenger.due()) == [(KEY, status) for status in at_once]
    for message in messenger.due():
        messenger.told(message, 202)
    telling.clock.pass_by(5)
    assert told(messenger.due()) == [(KEY, status) for status in later]


def test_duplicates_have_one_id_and_the_third_has_another(telling: Desk) -> None:
    telling.ask("magic-pending-twice")
    telling.clock.pass_by(5)
    ids = [message.headers["webhook-id"] for message in telling.sandbox.messenger.due()]
    assert ids[0] == ids[1] != ids[2]


def test_an_event_is_signed_as_standard_webhooks_says(telling: Desk) -> None:
    telling.ask("magic-pending")
    telling.clock.pass_by(5)
    (message,) = telling.sandbox.messenger.due()
    verified = Webhook(SECRET).sign(message.headers["webhook-id"], telling.clock.now(), message.body.decode())
    assert message.headers["webhook-signature"] == verified
    assert message.headers["webhook-timestamp"] == str(int(telling.clock.now().timestamp()))


def test_it_is_sent_again_until_it_is_taken_and_eight_times_at_most(telling: Desk) -> None:
    telling.ask("magic-pending")
    telling.clock.pass_by(5)
    messenger = telling.sandbox.messenger
    for answer in (None, 500, 401, None, 503, 500, 500):
        (message,) = messenger.due()
        messenger.told(message, answer)
        assert messenger.due() == []
        telling.clock.pass_by(1)
    (message,) = messenger.due()
    messenger.told(message, None)
    telling.clock.pass_by(60)
    assert messenger.due() == []
    assert [row["answered"] for row in telling.rows("news")] == [0]


def test_nothing_is_planned_while_no_inbox_is_known(desk: Desk) -> None:
    desk.ask("magic-pending")
    desk.clock.pass_by(5)
    assert desk.sandbox.messenger.due() == []
    assert desk.rows("news") == []


def test_an_inbox_without_a_usable_secret_is_refused(desk: Desk) -> None:
    for content in ({"url": "http://x", "secret": "short"}, {"url": "ftp://x", "secret": SECRET}, {"url": "http://x"}):
        assert desk.send("POST", "/admin/inbox", json.dumps(content).encode(), {}).status == 400
