"""The bank's rules, as the sandbox keeps them."""

import json
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from tests.wallets.sandbox.calls import START, Desk
from wallets.sandbox.bank_faults import WORDS, number_of, word_in
from wallets.sandbox.messages import Answer

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
KEY = "pay_1:submit:v1"


def pay(desk: Desk, *, name: str = "Somchai", amount: str = "10.00", key: str = KEY, in_seconds: float = 2) -> Answer:
    body = {
        "bank_code": "KBANK",
        "account_number": "1234567890",
        "name": name,
        "amount": amount,
        "currency": "THB",
        "reference": "pay_1",
    }
    headers = {"idempotency-key": key, "not-after": (desk.clock.now() + timedelta(seconds=in_seconds)).isoformat()}
    return desk.send("POST", "/bank/transfers", json.dumps(body).encode(), headers)


def told(answer: Answer) -> str:
    content = json.loads(answer.body)
    return f"{answer.status} {content.get('status') or content.get('code')}"


def look_up(desk: Desk, key: str = KEY) -> str:
    return told(desk.send("GET", f"/bank/transfers/{key}"))


def test_a_transfer_is_taken_on_and_settles_later(desk: Desk) -> None:
    first = pay(desk)
    assert told(first) == "202 pending"
    assert json.loads(first.body)["settlement_date"] == "2026-03-02"
    assert look_up(desk) == "200 pending"
    desk.clock.pass_by(5)
    assert look_up(desk) == "200 settled"


def test_the_same_key_gets_its_payment_as_it_stands_and_pays_nothing_again(desk: Desk) -> None:
    pay(desk)
    desk.clock.pass_by(5)
    assert told(pay(desk, in_seconds=2)) == "200 settled"
    assert told(pay(desk, amount="10.01")) == "409 key_reused"
    assert len(desk.rows("payments")) == 1
    assert desk.did() == ["pending", "replayed", "conflict"]


def test_an_order_later_than_not_after_is_refused_and_burns_no_key(desk: Desk) -> None:
    assert told(pay(desk, in_seconds=-1)) == "422 rejected"
    assert look_up(desk) == "404 not_found"
    assert told(pay(desk)) == "202 pending"


@pytest.mark.parametrize("change", [{"amount": "0"}, {"amount": "1e2"}, {"name": ""}])
def test_a_malformed_order_pays_nothing(change: dict[str, str], desk: Desk) -> None:
    assert told(pay(desk, **change)) == "400 malformed"  # type: ignore[arg-type]  # texts that pay() takes
    assert desk.rows("payments") == []


def test_questions_need_a_signature_of_their_key_once_a_secret_is_known(desk: Desk) -> None:
    desk.instruct("bank-secret", secret=SECRET)
    assert told(pay(desk)) == "401 unauthorized"
    stamp = str(int(START.timestamp()))
    for signed, answer in ((KEY, "404 not_found"), ("pay_2:submit:v1", "401 unauthorized")):
        headers = {
            "webhook-id": signed,
            "webhook-timestamp": stamp,
            "webhook-signature": Webhook(SECRET).sign(signed, START, ""),
        }
        assert told(desk.send("GET", f"/bank/transfers/{KEY}", b"", headers)) == answer
    assert desk.rows("payments") == []


def test_promptpay_tells_who_is_paid_and_what_the_network_takes(desk: Desk) -> None:
    body = {"proxyType": "mobile", "proxyValue": "0812345678", "amount": "10.00", "currency": "THB"}
    answer = json.loads(desk.send("POST", "/bank/promptpay/query", json.dumps(body).encode()).body)
    assert answer == {
        "lookupRef": answer["lookupRef"],
        "receiverName": "Owner of …5678",
        "fee": "2.00",
        "currency": "THB",
    }
    confirm = {**body, "lookupRef": answer["lookupRef"], "reference": "pay_1"}
    headers = {"idempotency-key": KEY, "not-after": (START + timedelta(seconds=2)).isoformat()}
    paid = json.loads(desk.send("POST", "/bank/promptpay/confirm", json.dumps(confirm).encode(), headers).body)
    assert (paid["status"], paid["settlementDate"], paid["idempotencyKey"]) == ("settled", "2026-03-01", KEY)
    assert paid["responseId"].startswith("bnk_")


def test_each_magic_number_is_its_words(desk: Desk) -> None:
    assert [word_in(number_of(word)) for word in WORDS] == list(WORDS)
    assert word_in("0812345678") == word_in("Somchai") == word_in("magic-unheard-of") == ""


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("Somchai", ["payout.updated settled"]),
        ("magic-pending-declined", ["payout.updated rejected"]),
        ("magic-pending-twice", ["payout.updated settled"] * 3),
        ("magic-pending-reordered", ["payout.updated settled", "payout.updated pending"]),
        ("magic-declined", []),
        ("magic-returned", []),
    ],
)
def test_events_are_due_when_the_payment_ends(name: str, kinds: list[str], desk: Desk) -> None:
    desk.instruct("bank-inbox", url="http://127.0.0.1:8000/v1/inbox/bank", secret=SECRET)
    pay(desk, name=name)
    messenger = desk.sandbox.bank_messenger
    assert messenger.due() == []
    desk.clock.pass_by(5)
    found = [json.loads(one.body) for one in messenger.due()]
    assert [f"{one['type']} {one['data']['status']}" for one in found] == kinds


def test_a_returned_payment_comes_back_on_the_next_day(desk: Desk) -> None:
    desk.instruct("bank-inbox", url="http://127.0.0.1:8000/v1/inbox/bank", secret=SECRET)
    assert told(pay(desk, name="magic-returned-twice.somchai")) == "200 settled"
    desk.clock.pass_by(86_399)
    assert look_up(desk) == "200 settled"
    desk.clock.pass_by(1)
    assert look_up(desk) == "200 returned"
    messages = desk.sandbox.bank_messenger.due()
    said = [json.loads(one.body)["data"] for one in messages]
    assert [one["status"] for one in said] == ["returned", "returned"]
    assert said[0]["return_id"] == said[1]["return_id"]
    assert messages[0].headers["webhook-id"] != messages[1].headers["webhook-id"]
    for message in messages:
        desk.sandbox.bank_messenger.told(message, 202)
    assert desk.sandbox.bank_messenger.due() == []
    assert [row["answered"] for row in desk.rows("bank_news")] == [202, 202]
