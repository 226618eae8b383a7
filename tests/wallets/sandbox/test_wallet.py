"""The protocol's rules, as the sandbox's wallet keeps them."""

import json
import sqlite3

import pytest
from standardwebhooks import Webhook

from tests.wallets.sandbox.calls import START, Desk
from tests.wallets.sandbox.test_magic_words import told

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_SECRET = "whsec_OTg3NjU0MzIxMDk4NzY1NDMyMTA5ODc2NTQzMjEwOTg="


def test_the_same_key_and_body_get_the_first_answer_and_move_nothing_again(desk: Desk) -> None:
    first = desk.ask()
    again = desk.ask()
    assert again == first
    assert desk.did() == ["confirmed", "replayed"]
    assert len(desk.rows("operations")) == 1


def test_a_replay_past_not_after_still_tells_the_truth(desk: Desk) -> None:
    first = desk.ask()
    assert desk.ask(in_seconds=-60) == first
    assert desk.did() == ["confirmed", "replayed"]


@pytest.mark.parametrize("change", [{"amount": "10.01"}, {"user_reference": "bob"}])
def test_the_same_key_with_another_body_is_a_conflict_and_moves_nothing(change: dict[str, str], desk: Desk) -> None:
    desk.ask()
    assert told(desk.ask(**change)) == "409 key_reused"  # type: ignore[arg-type] # the two texts that ask() takes
    assert desk.did() == ["confirmed", "conflict"]
    assert [row["amount"] for row in desk.rows("operations")] == ["10.00"]


def test_an_ask_later_than_not_after_is_refused_and_burns_no_key(desk: Desk) -> None:
    assert told(desk.ask(in_seconds=-0.001)) == "422 too_late"
    assert desk.statuses() == []
    assert told(desk.look_up()) == "404 not_found"
    assert told(desk.ask(in_seconds=2)) == "200 confirmed"
    assert desk.did() == ["too_late", "not_found", "confirmed"]


def test_an_ask_at_not_after_itself_is_in_time(desk: Desk) -> None:
    assert told(desk.ask(in_seconds=0)) == "200 confirmed"


@pytest.mark.parametrize(
    ("reverse", "answer"),
    [
        ({"reference": "ord_2"}, "422 nothing_to_reverse"),
        ({"amount": "10.01"}, "422 nothing_to_reverse of 10.01"),
        ({"amount": "4.00"}, "200 confirmed of 4.00"),
        ({}, "200 confirmed"),
    ],
)
def test_a_reverse_gives_back_what_was_debited_and_no_more(reverse: dict[str, str], answer: str, desk: Desk) -> None:
    desk.ask()
    assert told(desk.ask(operation="reverse", **reverse)) == answer  # type: ignore[arg-type] # texts, as above


def test_a_second_reverse_of_the_same_debit_is_refused(desk: Desk) -> None:
    desk.ask()
    desk.ask(operation="reverse")
    assert told(desk.ask(operation="reverse", version=2)) == "422 nothing_to_reverse"
    assert desk.statuses() == ["confirmed", "confirmed", "rejected"]


def test_amounts_are_compared_exactly_at_39_digits(desk: Desk) -> None:
    large = "9" * 38 + "." + "9" * 18
    desk.ask(amount=large)
    assert told(desk.ask(operation="reverse", amount="9" * 38 + "." + "9" * 17 + "8")).startswith("200 confirmed")
    assert told(desk.ask(operation="reverse", version=2, amount="0." + "0" * 17 + "2")).startswith("422")
    assert told(desk.ask(operation="reverse", version=3, amount="0." + "0" * 17 + "1")).startswith("200")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"idempotency-key": ""}, {}),
        ({"idempotency-key": "a b"}, {}),
        ({"not-after": ""}, {}),
        ({"not-after": "2026-03-01T12:00:00"}, {}),
        ({"not-after": "soon"}, {}),
        ({}, {"operation": "reverse"}),
        ({}, {"amount": 10}),
        ({}, {"amount": "0.00"}),
        ({}, {"amount": "-1"}),
        ({}, {"amount": "1e3"}),
        ({}, {"user_reference": ""}),
        ({}, {"reference": None}),
        ({}, []),
    ],
)
def test_a_malformed_ask_is_refused_and_logged_and_moves_nothing(
    headers: dict[str, str], body: dict[str, object] | list[object], desk: Desk
) -> None:
    good = {
        "operation": "debit",
        "asset": "EUR",
        "amount": "1",
        "user_reference": "a",
        "reference": "ord_1",
        "metadata": {},
    }
    content = {**good, **body} if isinstance(body, dict) else body
    given = {"idempotency-key": "ord_1:debit:v1", "not-after": "2026-03-01T12:00:05Z", **headers}
    assert told(desk.send("POST", "/debit", json.dumps(content).encode(), given)) == "400 malformed"
    assert desk.did() == ["malformed"]
    assert desk.statuses() == []


@pytest.mark.parametrize(
    ("secret", "about", "age", "answer"),
    [
        (SECRET, "ord_1:debit:v1", 0, "404 not_found"),
        (SECRET, "ord_1:debit:v1", 299, "404 not_found"),
        (SECRET, "ord_1:debit:v1", 301, "401 unauthorized"),
        (SECRET, "ord_1:debit:v1", -301, "401 unauthorized"),
        (OTHER_SECRET, "ord_1:debit:v1", 0, "401 unauthorized"),
        (SECRET, "ord_2:debit:v1", 0, "401 unauthorized"),
        (None, "", 0, "401 unauthorized"),
    ],
)
def test_a_registered_secret_must_have_signed_this_key_now(
    secret: str | None, about: str, age: int, answer: str, desk: Desk
) -> None:
    assert told(desk.look_up()) == "404 not_found"
    desk.instruct("wallet-secret", secret=SECRET)
    at = int(START.timestamp()) - age
    headers = {"webhook-id": about, "webhook-timestamp": str(at)}
    if secret is not None:
        stamp = START.fromtimestamp(at, START.tzinfo)
        headers["webhook-signature"] = "v1,bm9uZQ== " + Webhook(secret).sign(about, stamp, "")
    assert told(desk.send("GET", "/operations/ord_1:debit:v1", headers=headers)) == answer
    assert [row["signature"] for row in desk.rows("requests")] == [
        "unchecked",
        "verified" if answer.startswith("404") else "refused",
    ]


def test_an_unsigned_ask_moves_nothing_once_a_secret_is_registered(desk: Desk) -> None:
    desk.instruct("wallet-secret", secret=SECRET)
    assert told(desk.ask()) == "401 unauthorized"
    assert desk.statuses() == []
    assert desk.did() == ["unauthorized"]


@pytest.mark.parametrize(
    "statement", ["DELETE FROM requests", "UPDATE requests SET did = ''", "DELETE FROM operations"]
)
def test_what_happened_can_not_be_rewritten(statement: str, desk: Desk) -> None:
    desk.ask()
    with pytest.raises(sqlite3.IntegrityError):
        desk.store._connection.execute(statement)
    desk.instruct("reset")
    assert desk.did() == ["confirmed"]
    assert desk.statuses() == ["confirmed"]
