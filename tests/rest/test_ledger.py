"""The book through REST: accounts, balances, transactions one by one and as lists, dry runs, holds, adjustments."""

import json
from typing import Any

import pytest
from django.db import connection

from ledger import adjustments, verify
from ledger.controls import clock
from ledger.controls.approvals import SelfApproval
from ledger.models import Approval, LedgerKey, Posting, Transaction
from tests.rest.calls import Answer, Api, ordered
from tests.rest.conftest import Shop, open_house
from tests.rest.tables import fingerprint, rows
from wallets.models import OperatorKey

pytestmark = pytest.mark.usefixtures("database")


TRANSIT = "transit:transfers"


@pytest.fixture
def house(database: None) -> Api:
    return open_house()


@pytest.fixture
def book(house: Api) -> Api:
    """A small book: two users, a bank, transit; u1 has 100.00 EUR."""
    for address in ("@world", "users:u1:available", "users:u2:available", "users:u3:available", "bank:b1", TRANSIT):
        assert house.post("/v1/accounts", {"address": address, "asset": "EUR"}).status in (200, 201)
    assert house.post("/v1/transactions", opening("open:u1", "users:u1:available", "100.00")).status == 201
    return house


def opening(key: str, account: str, amount: object, *, asset: str = "EUR", **more: object) -> dict[str, Any]:
    return {
        "event_type": "OPENING_BALANCE",
        "key": key,
        "amounts": {"amount": {"amount": amount, "asset": asset}},
        "accounts": {"world": "@world", "account": account},
        **more,
    }


def out_of(key: str, account: str, amount: str) -> dict[str, Any]:
    """Reserve from an account what it may not have."""
    asked = hold(key, amount)
    return {**asked, "accounts": {**asked["accounts"], "payer": account, "payee": "users:u3:available"}}


def hold(key: str, amount: str, **more: object) -> dict[str, Any]:
    """Reserve a transfer from u1 to u2."""
    named = {"payer": "users:u1:available", "transit": "transit:transfers", "payee": "users:u2:available"}
    euros = {"amount": amount, "asset": "EUR"}
    return {
        "event_type": "TRANSFER_HOLD",
        "key": key,
        "amounts": {"debit": euros, "credit": euros},
        "accounts": named,
        **more,
    }


def balance(house: Api, address: str) -> tuple[str, ...]:
    (row,) = house.get(f"/v1/accounts/{address}/balances").json["data"]
    return tuple(row[name] for name in ("debits_posted", "credits_posted", "debits_pending", "credits_pending"))


def test_an_account_is_what_the_chart_says_when_it_is_opened(house: Api) -> None:
    first = house.post("/v1/accounts", {"address": "merchants:m1:available", "asset": "EUR"})
    assert first.status == 201
    assert first.headers["Location"] == "/v1/accounts/merchants:m1:available/balances"
    assert {name: first.json[name] for name in ("account_class", "gl_code", "normal_side", "balance_rule")} == {
        "account_class": "liability",
        "gl_code": "2004",
        "normal_side": "credit",
        "balance_rule": "debits_must_not_exceed_credits",
    }
    assert first.json["available"] == first.json["balance"] == "0.00"
    before = fingerprint()
    again = house.post("/v1/accounts", {"address": "merchants:m1:available", "asset": "EUR"})
    assert (again.status, again.json) == (200, first.json)
    assert fingerprint() == before


@pytest.mark.parametrize("event_type", ["PAYOUT_RELEASE", "TRADE_RELEASE"])
def test_a_hold_is_ended_by_none_but_the_event_types_of_its_reserve(book: Api, event_type: str) -> None:
    assert book.post("/v1/transactions", hold("h:1", "10.00")).status == 201
    release = {"event_type": event_type, "key": "r:1", "hold_key": "h:1"}
    before = fingerprint()
    for path in ("/v1/transactions", "/v1/transactions?dry_run=true"):
        answer = book.post(path, release)
        assert (answer.status, answer.code) == (422, "hold_of_another_type")
    listed = {"transactions": [hold("h:2", "1.00"), {**release, "hold_key": "h:2"}]}
    answer = book.post("/v1/transactions/bulk", listed)
    assert (answer.status, answer.code) == (422, "hold_of_another_type")
    assert fingerprint() == before
    assert [verdict.check.name for verdict in verify.verify() if verdict.breaks] == []
    own = {**release, "event_type": "TRANSFER_RELEASE"}
    assert book.post("/v1/transactions", own).json["result"] == "created"


@pytest.mark.parametrize("offset, told", [("+23:59", "2026-01-30T12:01"), ("-23:59", "2026-02-01T11:59")])
def test_a_transaction_is_posted_when_its_offset_is_wider_than_the_database_knows(
    book: Api, offset: str, told: str
) -> None:
    asked = hold("in:1", "1.00", effective_at=f"2026-01-31T12:00:00{offset}")
    listed = {"transactions": [{**asked, "key": "in:2"}]}
    assert book.post("/v1/transactions/bulk", listed).json["data"][0]["result"] == "created"
    answer = book.post("/v1/transactions", asked)
    assert (answer.status, answer.json["effective_at"]) == (201, f"{told}:00.000000Z")


def test_a_transaction_answers_with_references_and_balances_when_it_is_posted(book: Api) -> None:
    asked = opening(
        "in:1",
        "users:u1:available",
        "12.5",
        subject="statement-7",
        refs={"statement": "s7"},
        metadata={"note": "=1+1"},
        effective_at="2026-01-31T12:00:00+01:00",
    )
    answer = book.post("/v1/transactions", asked, X_Request_Id="r-1")
    row = Posting.objects.get(transaction__key="in:1")
    assert answer.status == 201
    told = answer.json
    assert told["transaction_id"] == str(row.transaction_id)
    assert (told["result"], told["key"], told["subject"], told["refs"]) == (
        "created",
        "in:1",
        "statement-7",
        {"statement": "s7"},
    )
    assert (told["effective_at"], told["request_id"]) == ("2026-01-31T11:00:00.000000Z", "r-1")
    assert told["postings"] == [
        {
            "ledger_id": row.reference,
            "position": 0,
            "kind": "posted",
            "ends_ledger_id": None,
            "debit_account": "@world",
            "credit_account": "users:u1:available",
            "asset": "EUR",
            "amount": "12.50",
        }
    ]
    balances = {
        one["address"]: (one["debits_posted"], one["credits_posted"], one["balance"]) for one in told["balances"]
    }
    assert balances == {
        "@world": ("112.50", "0.00", "-112.50"),
        "users:u1:available": ("0.00", "112.50", "112.50"),
    }
    assert answer.headers["Location"] == f"/v1/transactions/{told['transaction_id']}"
    found = book.get(answer.headers["Location"]).json
    assert found == {name: value for name, value in told.items() if name not in ("result", "balances")}
    assert [one["key"] for one in book.get("/v1/transactions?key=in:1").json["data"]] == ["in:1"]
    assert [one["key"] for one in book.get("/v1/transactions?subject=statement-7").json["data"]] == ["in:1"]


def test_the_ledger_key_is_one_effect_when_the_idempotency_key_is_another(book: Api) -> None:
    asked = opening("in:1", "users:u1:available", "1.00")
    first = book.post("/v1/transactions", asked, key="a")
    before = fingerprint()
    again = book.post("/v1/transactions", asked, key="b")
    assert (first.status, again.status, again.json["result"]) == (201, 200, "exists")
    assert again.json["transaction_id"] == first.json["transaction_id"]
    other = book.post("/v1/transactions", opening("in:1", "users:u1:available", "2.00"), key="c")
    assert (other.status, other.code, other.json["ledger_code"]) == (
        409,
        "ledger_key_taken",
        "exists_with_different_amount",
    )
    assert fingerprint() == before


def test_a_failed_key_stays_failed_when_the_reason_has_passed(book: Api) -> None:
    asked = out_of("out:1", "users:u1:available", "100.01")
    refused = book.post("/v1/transactions", asked)
    assert (refused.status, refused.code, refused.json["ledger_code"]) == (422, "ledger_refused", "exceeds_credits")
    assert refused.json["failed_posting"] == 0
    assert not Transaction.objects.filter(key="out:1").exists()
    assert LedgerKey.objects.filter(key="out:1").exists()
    book.post("/v1/transactions", opening("more", "users:u1:available", "50.00"))
    again = book.post("/v1/transactions", asked)
    assert (again.status, again.json["ledger_code"]) == (422, "id_already_failed")
    assert book.post("/v1/transactions", {**asked, "key": "out:2"}).status == 201
    assert balance(book, "users:u1:available") == ("0.00", "150.00", "100.01", "0.00")


def test_a_refusal_is_given_again_byte_for_byte_when_its_key_comes_again(book: Api) -> None:
    asked = out_of("out:1", "users:u1:available", "100.01")
    first, again = (book.post("/v1/transactions", asked, key="one", X_Request_Id=f"r-{n}") for n in (1, 2))
    assert (first.body, again.body) == (again.body, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_nothing_stands_when_it_was_a_dry_run(book: Api) -> None:
    before = fingerprint()
    asked = opening("in:1", "users:u1:available", "1.00")
    dry = book.post("/v1/transactions?dry_run=true", asked, key=None)
    assert (dry.status, dry.json["dry_run"], dry.json["result"]) == (200, True, "created")
    assert {b["address"]: b["balance"] for b in dry.json["balances"]}["users:u1:available"] == "101.00"
    refused = book.post("/v1/transactions?dry_run=true", out_of("o", "users:u1:available", "100.01"), key=None)
    assert (refused.status, refused.json["ledger_code"]) == (422, "exceeds_credits")
    listed = book.post("/v1/transactions/bulk?dry_run=true", {"transactions": [asked, asked]}, key=None)
    assert [one["result"] for one in listed.json["data"]] == ["created", "exists"]
    assert fingerprint() == before
    assert book.post("/v1/transactions", asked).status == 201


def test_each_of_a_list_has_its_result_when_some_are_refused(book: Api) -> None:
    asked = [
        opening("l:1", "users:u1:available", "1.00"),
        out_of("l:2", "users:u1:available", "500.00"),
        opening("l:1", "users:u1:available", "1.00"),
        opening("l:1", "users:u1:available", "2.00"),
        {**opening("l:3", "users:u2:available", "3.00"), "linked": True},
        out_of("l:4", "users:u2:available", "4.00"),
        opening("l:5", "users:nobody:available", "1.00"),
        out_of("l:6", "users:u1:available", "101.00"),
    ]
    answer = book.post("/v1/transactions/bulk", {"transactions": asked})
    assert answer.status == 200
    assert [(one["key"], one["result"], one["failed_posting"]) for one in answer.json["data"]] == [
        ("l:1", "created", None),
        ("l:2", "exceeds_credits", 0),
        ("l:1", "exists", None),
        ("l:1", "exists_with_different_amount", None),
        ("l:3", "linked_event_failed", None),
        ("l:4", "exceeds_credits", 0),
        ("l:5", "credit_account_not_found", 0),
        ("l:6", "created", None),
    ]
    assert [answer.json[name] for name in ("created", "existing", "refused")] == [2, 1, 5]
    assert [len(one["ledger_ids"]) for one in answer.json["data"]] == [1, 0, 1, 1, 0, 0, 0, 2]
    assert {b["address"]: (b["balance"], b["available"]) for b in answer.json["balances"]} == {
        "@world": ("-101.00", "-101.00"),
        "transit:transfers": ("0.00", "-101.00"),
        "users:u1:available": ("101.00", "0.00"),
        "users:u3:available": ("0.00", "0.00"),
    }
    again = book.post("/v1/transactions/bulk", {"transactions": asked})
    assert [one["result"] for one in again.json["data"]] == [
        "exists",
        "id_already_failed",
        "exists",
        "exists_with_different_amount",
        "linked_event_failed",
        "id_already_failed",
        "id_already_failed",
        "exists",
    ]


def test_ten_thousand_are_posted_in_one_call_when_a_list_is_full(book: Api) -> None:
    calls = 0

    def counting(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal calls
        calls += 1
        return execute(sql, params, many, context)

    asked = [opening(f"full:{n}", f"users:u{n % 2 + 1}:available", "0.01") for n in range(10_000)]
    before = rows("ledger_posting")
    with connection.execute_wrapper(counting):
        answer = book.post("/v1/transactions/bulk", {"transactions": asked})
    assert (answer.status, answer.json["created"]) == (200, 10_000)
    assert rows("ledger_posting") == before + 10_000
    assert calls < 25  # of which one is the write door
    assert balance(book, "users:u2:available") == ("0.00", "50.00", "0.00", "0.00")
    over = book.post("/v1/transactions/bulk", {"transactions": [*asked, opening("over", "users:u1:available", "1.00")]})
    assert (over.status, over.code) == (400, "too_many_postings")
    assert not LedgerKey.objects.filter(key="over").exists()


def test_a_hold_is_posted_or_voided_through_its_event_types(book: Api) -> None:
    first = book.post("/v1/transactions", hold("h:1", "40.00")).json
    book.post("/v1/transactions", hold("h:2", "30.00", timeout=60))
    assert first["hold"] == {"state": "open", "expires_at": None, "ended_by": None, "ended_at": None}
    assert balance(book, "users:u1:available") == ("0.00", "100.00", "70.00", "0.00")
    assert [one["key"] for one in book.get("/v1/holds?state=open").json["data"]] == ["h:2", "h:1"]
    part = {**hold("s:1", "25.00", hold_key="h:1"), "event_type": "TRANSFER_SETTLE"}
    settled = book.post("/v1/transactions", part)
    assert (settled.status, settled.json["ends_hold_of"]) == (201, first["transaction_id"])
    assert settled.json["postings"][0]["ends_ledger_id"] == first["postings"][0]["ledger_id"]
    released = {"event_type": "TRANSFER_RELEASE", "key": "v:2", "hold_key": "h:2"}
    assert book.post("/v1/transactions", released).status == 201
    assert balance(book, "users:u1:available") == ("25.00", "100.00", "0.00", "0.00")
    assert balance(book, "users:u2:available") == ("0.00", "25.00", "0.00", "0.00")
    assert book.get("/v1/holds?state=open").json == {"data": [], "next": None}
    assert [(one["key"], one["hold"]["state"]) for one in book.get("/v1/holds").json["data"]] == [
        ("h:2", "voided"),
        ("h:1", "posted"),
    ]
    again = book.post("/v1/transactions", {**part, "key": "s:2"})
    assert (again.status, again.json["ledger_code"]) == (422, "pending_transfer_already_posted")


def test_a_flows_keys_and_holds_are_its_own_when_a_house_key_tries(shop: Shop, house: Api) -> None:
    order = ordered(shop.api)["order_id"]
    placed = Transaction.objects.get(subject=order, phase="reserve")
    before = fingerprint()
    for asked in (
        {"event_type": "TRANSFER_RELEASE", "key": "mine", "hold_key": placed.key},
        opening(f"{order}:debit_confirmed", "pools:EUR-USDT", "1.00"),
        opening("payin:1:collected:" + "0" * 40, "pools:EUR-USDT", "1.00"),
        opening("settlement:acme:2026-03-02:EUR", "pools:EUR-USDT", "1.00"),
        opening("sandbox:funding:EUR-ETH:EUR", "pools:EUR-USDT", "1.00"),
    ):
        answer = house.post("/v1/transactions", asked)
        assert (answer.status, answer.code) == (422, "key_of_a_flow")
        listed = house.post("/v1/transactions/bulk", {"transactions": [asked]})
        assert (listed.status, listed.code) == (422, "key_of_a_flow")
    assert fingerprint() == before


def test_an_adjustment_waits_for_a_second_person_when_it_is_asked(book: Api) -> None:
    asked = {
        "event_type": "MANUAL_ADJUSTMENT",
        "key": "adj:1",
        "amounts": {"amount": {"amount": "5.00", "asset": "EUR"}},
        "accounts": {"debit": "users:u1:available", "credit": "bank:b1"},
        "reason": "booked twice",
    }
    answer = book.post("/v1/transactions", asked)
    assert (answer.status, answer.json["status"]) == (202, "proposed")
    assert answer.json["postings"] == [
        {"debit_account": "users:u1:available", "credit_account": "bank:b1", "asset": "EUR", "amount": "5.00"}
    ]
    assert not Transaction.objects.filter(key="adj:1").exists()
    before = fingerprint()
    second = book.post("/v1/transactions", asked)
    assert (second.status, second.code) == (409, "already_proposed")
    listed = book.post("/v1/transactions/bulk", {"transactions": [{k: v for k, v in asked.items() if k != "reason"}]})
    assert (listed.status, listed.code) == (422, "two_people_needed")
    assert fingerprint() == before
    proposal = Approval.objects.get(reference=answer.json["approval_id"])
    with pytest.raises(SelfApproval):
        adjustments.approve(reference=proposal.reference, reason="mine", checker=proposal.maker, now=clock.now())
    assert fingerprint() == before
    adjustments.approve(reference=proposal.reference, reason="seen", checker="user:fritz", now=clock.now())
    posted = Transaction.objects.get(key="adj:1")
    assert posted.refs == {"approval": proposal.reference}
    assert balance(book, "users:u1:available") == ("5.00", "100.00", "0.00", "0.00")


def test_nobody_approves_what_a_key_that_they_issued_has_proposed(book: Api) -> None:
    """Else one person with a house key and a console login would be maker and checker."""
    OperatorKey.objects.update(created_by="user:fritz")
    asked = {
        "event_type": "MANUAL_ADJUSTMENT",
        "key": "adj:1",
        "amounts": {"amount": {"amount": "5.00", "asset": "EUR"}},
        "accounts": {"debit": "users:u1:available", "credit": "bank:b1"},
        "reason": "booked twice",
    }
    reference = book.post("/v1/transactions", asked).json["approval_id"]
    before = fingerprint()
    with pytest.raises(SelfApproval, match="issued the key"):
        adjustments.approve(reference=reference, reason="mine", checker="user:fritz", now=clock.now())
    assert fingerprint() == before
    assert Approval.objects.get().decision == "proposed"
    adjustments.approve(reference=reference, reason="seen", checker="user:lena", now=clock.now())
    assert Transaction.objects.filter(key="adj:1").exists()


def test_an_adjustment_is_refused_at_once_when_the_ledger_would_refuse_it(book: Api) -> None:
    asked = {
        "event_type": "MANUAL_ADJUSTMENT",
        "key": "adj:1",
        "amounts": {"amount": {"amount": "100.01", "asset": "EUR"}},
        "accounts": {"debit": "users:u1:available", "credit": "bank:b1"},
        "reason": "too much",
    }
    before = fingerprint()
    answer = book.post("/v1/transactions", asked)
    assert (answer.status, answer.code, answer.json["ledger_code"]) == (422, "ledger_refused", "exceeds_credits")
    silent = book.post("/v1/transactions", {**asked, "reason": " "})
    assert (silent.status, silent.code) == (422, "reason_missing")
    assert fingerprint() == before
    assert not LedgerKey.objects.filter(key="adj:1").exists()


def test_lists_join_into_the_whole_when_they_are_read_in_pages(book: Api) -> None:
    for n in range(5):
        book.post("/v1/transactions", opening(f"p:{n}", "users:u2:available", "1.00"))
    for path in ("/v1/accounts?asset=EUR", "/v1/transactions?limit=100"):
        whole = book.get(path.replace("limit=100", "limit=99")).json["data"]
        joined: list[Any] = []
        after = ""
        for _ in range(len(whole)):
            page = book.get(
                path.partition("?")[0] + f"?limit=2{after}" + ("&asset=EUR" if "asset" in path else "")
            ).json
            joined += page["data"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert joined == whole, path
        assert len(whole) > 4, path
    page = book.get("/v1/accounts/users:u2:available/statement?asset=EUR&limit=3").json
    rest = book.get(f"/v1/accounts/users:u2:available/statement?asset=EUR&after={page['next']}").json
    assert [line["key"] for line in page["data"] + rest["data"]] == [f"p:{n}" for n in range(5)]
    assert page["closing"] == rest["opening"]
    assert rest["closing"]["credits_posted"] == "5.00"
    assert rest["next"] is None


def test_the_other_book_is_empty_when_the_key_is_of_the_other_environment(book: Api) -> None:
    made = book.post("/v1/transactions", opening("in:1", "users:u1:available", "1.00")).json
    cursor = book.get("/v1/transactions?limit=1").json["next"]
    live = open_house(environment="live")
    assert live.get("/v1/accounts").json["data"] == []
    assert live.get("/v1/transactions").json == {"data": [], "next": None}
    foreign = {
        f"/v1/transactions/{made['transaction_id']}": (404, "not_found"),
        "/v1/accounts/users:u1:available/balances": (404, "not_found"),
        "/v1/accounts/users:u1:available/statement?asset=EUR": (404, "not_found"),
        f"/v1/transactions?after={cursor}": (400, "malformed_cursor"),
    }
    for path, expected in foreign.items():
        answer = live.get(path)
        assert (answer.status, answer.code) == expected, path
    refused = live.post("/v1/transactions", opening("in:2", "users:u1:available", "1.00"))
    assert (refused.status, refused.json["ledger_code"]) == (422, "debit_account_not_found")
    assert balance(book, "users:u1:available") == ("0.00", "101.00", "0.00", "0.00")


def _amount(value: object, asset: object = "EUR") -> dict[str, Any]:
    return {"amounts": {"amount": {"amount": value, "asset": asset}}}


_EUR = {"amount": "1.00", "asset": "EUR"}
_RELEASE: dict[str, Any] = {"event_type": "TRANSFER_RELEASE", "amounts": {}, "accounts": {}}
_TO_U1 = {"world": "@world", "account": "users:u1:available"}

BAD: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("a JSON number", _amount(1), 400, "malformed", "amounts.amount.amount"),
    ("a JSON number with a point", _amount(1.5), 400, "malformed", "amounts.amount.amount"),
    ("true", _amount(True), 400, "malformed", "amounts.amount.amount"),
    ("null", _amount(None), 400, "malformed", "amounts.amount.amount"),
    ("a wrong scale", _amount("1.001"), 400, "malformed", "amounts.amount.amount"),
    ("a minus", _amount("-1.00"), 400, "malformed", "amounts.amount.amount"),
    ("an exponent", _amount("1e2"), 400, "malformed", "amounts.amount.amount"),
    ("Arabic digits", _amount("١"), 400, "malformed", "amounts.amount.amount"),
    ("an underscore", _amount("1_0"), 400, "malformed", "amounts.amount.amount"),
    ("more than 2^128 - 1", _amount("9" * 38), 400, "malformed", "amounts.amount.amount"),
    ("an unknown asset", _amount("1.00", "XXX"), 400, "malformed", "amounts.amount.asset"),
    ("an asset of another type", _amount("1.00", 7), 400, "malformed", "amounts.amount.asset"),
    ("an asset with a null character", _amount("1.00", "EUR\x00"), 400, "malformed", "amounts.amount.asset"),
    ("an amount alone", {"amounts": {"amount": "1.00"}}, 400, "malformed", "amounts.amount"),
    ("amounts as a list", {"amounts": []}, 400, "malformed", "amounts"),
    ("a third member", {"amounts": {"a": {"amount": "1", "asset": "EUR", "x": 1}}}, 400, "malformed", "amounts.a"),
    ("an address of another type", {"accounts": {"world": 1}}, 400, "malformed", "accounts.world"),
    ("an address with a null character", {"accounts": {"world": "a\x00"}}, 400, "malformed", "accounts.world"),
    ("an unknown field", {"price": "1"}, 400, "malformed", "price"),
    ("linked alone", {"linked": True}, 400, "malformed", "linked"),
    ("no key", {"key": None}, 400, "malformed", "key"),
    ("a key with a blank", {"key": "a b"}, 400, "malformed", "key"),
    ("a key too long", {"key": "k" * 256}, 400, "malformed", "key"),
    ("a date without a zone", {"effective_at": "2026-01-31T12:00:00"}, 400, "malformed", "effective_at"),
    ("no day of any month", {"effective_at": "2026-02-30T12:00:00Z"}, 400, "malformed", "effective_at"),
    ("the year 1", {"effective_at": "0001-01-01T00:00:00+14:00"}, 400, "malformed", "effective_at"),
    ("a timeout below 0", {"timeout": -1}, 400, "malformed", "timeout"),
    ("a timeout as text", {"timeout": "60"}, 400, "malformed", "timeout"),
    ("a timeout that is true", {"timeout": True}, 400, "malformed", "timeout"),
    ("a timeout too long", {"timeout": 2**32}, 400, "malformed", "timeout"),
    ("a reason of another type", {"reason": 1}, 400, "malformed", "reason"),
    ("a subject too long", {"subject": "s" * 65}, 400, "malformed", "subject"),
    ("an event type in small letters", {"event_type": "opening_balance"}, 400, "malformed", "event_type"),
    ("an unknown event type", {"event_type": "NO_SUCH_EVENT"}, 422, "unknown_event_type", ""),
    ("an amount too few", {"amounts": {}}, 422, "missing_parameter", ""),
    ("an amount too many", {"amounts": {"amount": _EUR, "tip": _EUR}}, 422, "unknown_parameter", ""),
    ("an account too many", {"accounts": {**_TO_U1, "tip": "bank:b1"}}, 422, "account_does_not_fit", ""),
    ("an account off the mapping", {"accounts": {**_TO_U1, "world": "bank:b1"}}, 422, "account_does_not_fit", ""),
    ("an account off the chart", {"accounts": {**_TO_U1, "account": "some:where"}}, 422, "account_does_not_fit", ""),
    ("an account too few", {"accounts": {"world": "@world"}}, 422, "missing_parameter", ""),
    ("a flow's key", {"key": "ord_01kad00f8xm3v6y2q4t5n7w9bz:reserve"}, 422, "key_of_a_flow", ""),
    ("zero", _amount("0.00"), 422, "ledger_refused", ""),
    ("an asset that the account has not", _amount("1.00", "USD"), 422, "ledger_refused", ""),
    ("a timeout where nothing is held", {"timeout": 60}, 422, "ledger_refused", ""),
    ("a hold where none is ended", {"hold_key": "open:u1"}, 422, "ledger_refused", ""),
    ("a hold that is none", {**_RELEASE, "hold_key": "open:u1"}, 422, "ledger_refused", ""),
    ("a reserved key", {"key": "expire:1"}, 422, "ledger_refused", ""),
]


@pytest.mark.parametrize("case, change, status, code, field", BAD, ids=[row[0] for row in BAD])
def test_nothing_is_posted_when_the_input_is_bad(
    book: Api, case: str, change: dict[str, Any], status: int, code: str, field: str
) -> None:
    """Alone, as a dry run and in a list: its own problem each time, no posting, no balance, no move."""
    asked = {**opening("bad", "users:u1:available", "1.00"), **change}
    before = _book()
    for path in ("/v1/transactions", "/v1/transactions?dry_run=true"):
        answer = book.post(path, asked)
        _is_refused(answer, status, code, field)
    if code not in ("ledger_refused",) and case not in ("linked alone", "a reason of another type"):
        good = opening("good", "users:u1:available", "1.00")
        listed = book.post("/v1/transactions/bulk", {"transactions": [good, asked]})
        _is_refused(listed, status, code, field and f"transactions.1.{field}")
    assert _book() == before


def _is_refused(answer: Answer, status: int, code: str, field: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer.body
    if field:
        assert list(answer.json["errors"]) == [field]


def _book() -> dict[str, str]:
    """All tables but the keys that a refusal may burn."""
    return {name: found for name, found in fingerprint().items() if name != "ledger_key"}


@pytest.mark.parametrize(
    "body, code",
    [
        ([], "malformed"),
        ({}, "malformed"),
        ({"transactions": []}, "malformed"),
        ({"transactions": {}}, "malformed"),
        ({"transactions": [1]}, "malformed"),
        ({"transactions": [[]]}, "malformed"),
        ({"transactions": [{}], "more": 1}, "malformed"),
        ({"transactions": [{}] * 10_001}, "too_many_postings"),
    ],
)
def test_a_list_is_refused_whole_when_it_is_none(book: Api, body: object, code: str) -> None:
    before = fingerprint()
    answer = book.post("/v1/transactions/bulk", body)
    assert (answer.status, answer.code) == (400, code)
    assert fingerprint() == before


def test_a_list_is_refused_before_it_is_read_when_it_is_too_large(book: Api) -> None:
    before = fingerprint()
    body = json.dumps({"transactions": [opening("x", "users:u1:available", "1.00")]}).encode() + b" " * 4 * 1024 * 1024
    answer = book.call("POST", "/v1/transactions/bulk", body, headers={"Idempotency-Key": "large"})
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert fingerprint() == before


@pytest.mark.parametrize(
    "body, status, code",
    [
        ({"address": "somewhere:else", "asset": "EUR"}, 422, "no_account_kind"),
        ({"address": "merchants:m1", "asset": "EUR"}, 422, "no_account_kind"),
        ({"address": "users:ü:available", "asset": "EUR"}, 422, "no_account_kind"),
        ({"address": "users:" + "u" * 240 + ":available", "asset": "EUR"}, 400, "malformed"),
        ({"address": "users:u\x00:available", "asset": "EUR"}, 400, "malformed"),
        ({"address": "bank:b1", "asset": "XXX"}, 422, "unknown_asset"),
        ({"address": "bank:b1"}, 400, "malformed"),
        ({"address": "bank:b1", "asset": "EUR", "gl_code": "1"}, 400, "malformed"),
    ],
)
def test_no_account_is_opened_when_the_chart_has_no_place_for_it(
    house: Api, body: dict[str, Any], status: int, code: str
) -> None:
    before = fingerprint()
    answer = house.post("/v1/accounts", body)
    assert (answer.status, answer.code) == (status, code)
    assert fingerprint() == before


@pytest.mark.parametrize(
    "path, status, code",
    [
        ("/v1/accounts/nobody/balances", 404, "not_found"),
        ("/v1/accounts/nobody/statement?asset=EUR", 404, "not_found"),
        ("/v1/accounts/@world/statement", 400, "malformed"),
        ("/v1/accounts/@world/statement?asset=EUR&after=x", 400, "malformed_cursor"),
        ("/v1/accounts/@world/statement?asset=EUR&limit=501", 400, "malformed"),
        ("/v1/accounts?after=x", 400, "malformed_cursor"),
        ("/v1/accounts?limit=0", 400, "malformed"),
        ("/v1/accounts?limit=101", 400, "malformed"),
        ("/v1/transactions?after=x", 400, "malformed_cursor"),
        ("/v1/transactions?after=00000000-0000-0000-0000-000000000001", 400, "malformed_cursor"),
        ("/v1/transactions?limit=10001", 400, "malformed"),
        ("/v1/transactions/00000000-0000-0000-0000-000000000001", 404, "not_found"),
        ("/v1/transactions/x", 404, "no_such_route"),
        ("/v1/holds?state=closed", 400, "malformed"),
        ("/v1/holds?what=1", 400, "malformed"),
    ],
)
def test_a_question_is_refused_when_it_is_bad(book: Api, path: str, status: int, code: str) -> None:
    answer = book.get(path)
    assert (answer.status, answer.code) == (status, code)
