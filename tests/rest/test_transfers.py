"""Transfers and intents through REST: one request settles; kept answers; lists; polling and the stream."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Any

import psycopg
import pytest
from django.db import connections

from ledger.controls import clock, drains
from ledger.controls.clock import FixedClock
from ledger.controls.rest.answers import instant
from orders import intent_shapes
from orders.models import Intent, WalletEntry
from tests.local.rows_read import rows_read
from tests.orders import books
from tests.rest.calls import WALLET, Answer, transfer
from tests.rest.conftest import Shop
from tests.rest.tables import fingerprint
from tests.threads import raise_first
from tests.wallets.people import fund
from tests.wallets.rules import fee, in_force
from wallets.models import ApiRequest, Wallet


@dataclass(frozen=True, slots=True)
class Pair:
    payer: str
    payee: str

    def balances(self, shop: Shop) -> tuple[str, str]:
        payer, payee = (
            shop.api.get(f"/v1/wallets/{one}/balances").json["data"][0]["available"] for one in (self.payer, self.payee)
        )
        return payer, payee


@pytest.fixture
def pair(shop: Shop) -> Pair:
    payer, payee = (
        shop.api.post("/v1/wallets", {**WALLET, "user_reference": name}).json["wallet_id"] for name in ("alice", "bob")
    )
    fund(Wallet.objects.get(reference=payer), 100_000)
    return Pair(payer, payee)


def test_the_answer_is_settled_and_there_is_nothing_to_monitor(shop: Shop, pair: Pair) -> None:
    in_force(fee(phase="PRE", fixed_minor=50, vat_basis_points=700))
    answer = shop.api.post("/v1/transfers", transfer(pair.payer, pair.payee, partner_reference="p-1", note="lunch"))
    assert answer.status == 201
    told = answer.json
    assert (told["status"], told["requiresMonitoring"]) == ("SETTLED", False)
    intent_shapes.IntentAnswer(data=told).is_valid(raise_exception=True)
    assert answer.headers["Location"] == f"/v1/intents/{told['intent_id']}"
    assert shop.api.get(answer.headers["Location"]).json == told
    shown = ("amount", "debit", "credit", "total_fee", "total_vat", "partner_reference", "note", "terminal")
    assert [told[name] for name in shown] == ["10.00", "10.54", "10.00", "0.50", "0.04", "p-1", "lunch", True]
    assert told["fees"] == [
        {"name": "fee", "rule": "fee", "version": 1, "phase": "PRE", "amount": "0.50", "vat": "0.04", "asset": "EUR"}
    ]
    assert pair.balances(shop) == ("989.46", "10.00")
    entries = shop.api.get(f"/v1/wallets/{pair.payee}/history").json["data"]
    assert len(entries) == 1
    assert ApiRequest.objects.get(route="/v1/transfers").subject == told["intent_id"]


def test_a_dry_run_walks_the_same_path_and_leaves_nothing(shop: Shop, pair: Pair) -> None:
    before = fingerprint()
    asked = transfer(pair.payer, pair.payee)
    answer = shop.api.post("/v1/transfers?dry_run=true", asked, key=None)
    assert (answer.status, answer.json["dry_run"], answer.json["status"]) == (200, True, "SETTLED")
    refused = shop.api.post("/v1/transfers?dry_run=true", {**asked, "amount": "1000.01"}, key=None)
    assert (refused.status, refused.code) == (422, "insufficient_funds")
    listed = shop.api.post("/v1/transfers/bulk?dry_run=true", {"transfers": [asked]}, key=None)
    assert (listed.status, listed.json["dry_run"], listed.json["settled"]) == (200, True, 1)
    later = {**asked, "scheduled_for": instant(clock.now() + timedelta(days=1))}
    assert shop.api.post("/v1/transfers?dry_run=true", later, key=None).json["status"] == "CREATED"
    assert fingerprint() == before


def test_a_refusal_is_the_kept_answer_of_its_key_and_leaves_nothing(shop: Shop, pair: Pair) -> None:
    before = fingerprint()
    asked = transfer(pair.payer, pair.payee, "1000.01")
    first = shop.api.post("/v1/transfers", asked, key="one")
    assert (first.status, first.code) == (422, "insufficient_funds")
    assert (first.json["debit"], first.json["available"]) == ("1000.01", "1000.00")
    assert fingerprint() == before
    fund(Wallet.objects.get(reference=pair.payer), 100_000, key="more")
    again = shop.api.post("/v1/transfers", asked, key="one")
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert shop.api.post("/v1/transfers", asked, key="two").status == 201


def test_another_operators_wallet_answers_404_and_its_key_stays_free(shop: Shop, rival: Shop, pair: Pair) -> None:
    other = rival.api.post("/v1/wallets", WALLET).json["wallet_id"]
    fund(Wallet.objects.get(reference=other), 100_000)
    before = fingerprint()
    for asked in (transfer(pair.payer, other), transfer(other, pair.payee)):
        answer = shop.api.post("/v1/transfers", asked, key="one")
        assert (answer.status, answer.code) == (404, "not_found")
        listed = shop.api.post("/v1/transfers/bulk", {"transfers": [asked]}).json
        assert (listed["refused"], listed["data"][0]["error"]["code"]) == (1, "not_found")
    assert fingerprint() == before


MALFORMED: list[tuple[str, dict[str, Any], str]] = [
    ("no payer", {"payer_wallet_id": None}, "payer_wallet_id"),
    ("an order's id", {"payee_wallet_id": "ord_01kad00f8xm3v6y2q4t5n7w9bz"}, "payee_wallet_id"),
    ("a number", {"amount": 10}, "amount"),
    ("an exponent", {"amount": "1e3"}, "amount"),
    ("a sign", {"amount": "-10.00"}, "amount"),
    ("three decimals", {"amount": "10.001"}, "amount"),
    ("nothing", {"amount": "0.00"}, "amount"),
    ("foreign digits", {"amount": "١٠"}, "amount"),
    ("an unknown asset", {"asset": "XXX"}, "asset"),
    ("an asset that is a list", {"asset": ["EUR"]}, "asset"),
    ("a partner reference with blanks", {"partner_reference": "a b"}, "partner_reference"),
    ("an empty partner reference", {"partner_reference": ""}, "partner_reference"),
    ("a long note", {"note": "x" * 141}, "note"),
    ("a null character", {"note": "a\0b"}, "note"),
    ("an unknown field", {"memo": "x"}, "memo"),
    ("a date without a time", {"scheduled_for": "2026-01-31"}, "scheduled_for"),
    ("no zone", {"scheduled_for": "2026-01-31T12:00:00"}, "scheduled_for"),
    ("February 30", {"scheduled_for": "2026-02-30T12:00:00Z"}, "scheduled_for"),
]


@pytest.mark.parametrize(("case", "change", "field"), MALFORMED, ids=[row[0] for row in MALFORMED])
def test_malformed_is_400_naming_the_field(
    case: str, change: dict[str, Any], field: str, shop: Shop, pair: Pair
) -> None:
    before = fingerprint()
    asked = {**transfer(pair.payer, pair.payee), **change}
    answer = shop.api.post("/v1/transfers", asked, key="one")
    assert (answer.status, answer.code) == (400, "malformed"), case
    assert list(answer.json["errors"]) == [field]
    listed = shop.api.post("/v1/transfers/bulk", {"transfers": [transfer(pair.payer, pair.payee), asked]}, key="one")
    assert (listed.status, list(listed.json["errors"])) == (400, [f"transfers.1.{field}"]), "refused whole"
    assert fingerprint() == before


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b'"x"', b"{}", b'{"transfers": []}', b'{"transfers": {}}', b'{"transfers": [1]}',
        b'{"transfers": [{}], "atomic": "yes"}', b'{"transfers": [{}], "more": 1}',
    ],
)  # fmt: skip
def test_a_malformed_list_is_400(body: bytes, shop: Shop) -> None:
    answer = shop.api.call("POST", "/v1/transfers/bulk", body, headers={"Idempotency-Key": "one"})
    assert (answer.status, answer.code) == (400, "malformed")
    single = shop.api.call("POST", "/v1/transfers", body, headers={"Idempotency-Key": "one"})
    assert (single.status, single.code) == (400, "malformed")


def test_a_list_has_at_most_a_thousand_and_each_partner_reference_once(shop: Shop, pair: Pair) -> None:
    one = transfer(pair.payer, pair.payee, "0.01")
    many = shop.api.post("/v1/transfers/bulk", {"transfers": [one] * 1001})
    assert (many.status, list(many.json["errors"])) == (400, ["transfers"])
    twice = shop.api.post("/v1/transfers/bulk", {"transfers": [{**one, "partner_reference": "a"}] * 2})
    assert (twice.status, list(twice.json["errors"])) == (400, ["transfers.1.partner_reference"])
    assert Intent.objects.count() == 0


def test_a_list_answers_for_each_and_its_key_keeps_the_answer(shop: Shop, pair: Pair) -> None:
    body = {
        "transfers": [
            transfer(pair.payer, pair.payee, "900.00", partner_reference="a"),
            transfer(pair.payer, pair.payee, "100.01"),
            transfer(pair.payee, pair.payer, "900.00"),
        ]
    }
    answer = shop.api.post("/v1/transfers/bulk", body, key="list")
    assert (answer.status, answer.json["settled"], answer.json["refused"]) == (200, 2, 1)
    intent_shapes.TransferListAnswer(data=answer.json).is_valid(raise_exception=True)
    first, second, third = answer.json["data"]
    assert (first["status"], first["requiresMonitoring"], first["partner_reference"]) == ("SETTLED", False, "a")
    assert (second["status"], second["intent_id"], second["error"]["code"]) == ("REFUSED", None, "insufficient_funds")
    assert shop.api.get(f"/v1/intents/{third['intent_id']}").json["status"] == "SETTLED"
    again = shop.api.post("/v1/transfers/bulk", body, key="list")
    assert (again.body, again.headers["Idempotent-Replayed"]) == (answer.body, "true")
    assert pair.balances(shop) == ("1000.00", "0.00")
    atomic = shop.api.post("/v1/transfers/bulk", {**body, "atomic": True, "transfers": body["transfers"][1:]})
    assert (atomic.status, atomic.code, atomic.json["index"], atomic.json["reason"]) == (
        422, "list_refused", 1, "insufficient_funds",
    )  # fmt: skip
    assert Intent.objects.count() == 2


def test_a_partner_reference_has_one_intent(shop: Shop, pair: Pair) -> None:
    asked = transfer(pair.payer, pair.payee, partner_reference="p-1")
    first = shop.api.post("/v1/transfers", asked)
    second = shop.api.post("/v1/transfers", asked)
    assert (second.status, second.code, second.json["intent_id"]) == (
        409, "duplicate_partner_reference", first.json["intent_id"],
    )  # fmt: skip
    later = {**asked, "scheduled_for": instant(clock.now() + timedelta(days=1))}
    assert shop.api.post("/v1/transfers", later).code == "duplicate_partner_reference"
    (listed,) = shop.api.post("/v1/transfers/bulk", {"transfers": [asked]}).json["data"]
    assert listed["error"]["intent_id"] == first.json["intent_id"]


def test_a_scheduled_transfer_waits_is_taken_back_or_is_carried_out(shop: Shop, pair: Pair) -> None:
    due = clock.now() + timedelta(days=1)
    asked = transfer(pair.payer, pair.payee, scheduled_for=instant(due))
    waiting = shop.api.post("/v1/transfers", asked)
    told = waiting.json
    assert (waiting.status, told["status"], told["requiresMonitoring"], told["debit"]) == (202, "CREATED", False, None)
    assert told["scheduled_for"] == instant(due)
    cancelled = shop.api.delete(f"/v1/transfers/{told['intent_id']}")
    assert (cancelled.status, cancelled.json["status"], cancelled.json["terminal"]) == (200, "CANCELLED", True)
    second = shop.api.post("/v1/transfers", asked).json["intent_id"]
    with clock.use(FixedClock(due)):
        drains.drain("sagas")
    assert shop.api.get(f"/v1/intents/{second}").json["status"] == "SETTLED"
    gone = shop.api.delete(f"/v1/transfers/{second}")
    assert (gone.status, gone.code) == (409, "illegal_move")
    past = shop.api.post("/v1/transfers", {**asked, "scheduled_for": "2026-01-01T00:00:00Z"})
    assert (past.status, past.code) == (422, "not_in_the_future")


def test_a_transfer_is_scheduled_when_its_offset_is_wider_than_the_database_knows(shop: Shop, pair: Pair) -> None:
    due = clock.now() + timedelta(days=2)
    asked = transfer(
        pair.payer, pair.payee, scheduled_for=due.astimezone(timezone(timedelta(hours=-23, minutes=-59))).isoformat()
    )
    waiting = shop.api.post("/v1/transfers", asked)
    assert (waiting.status, waiting.json["scheduled_for"]) == (202, instant(due))


def test_intents_are_listed_newest_first_and_filtered(shop: Shop, pair: Pair) -> None:
    made = [shop.api.post("/v1/transfers", transfer(pair.payer, pair.payee, f"{n}.00")).json for n in (1, 2, 3)]
    page = shop.api.get("/v1/intents?limit=2").json
    assert page["data"] == [made[2], made[1]]
    assert shop.api.get(f"/v1/intents?after={page['next']}").json == {"data": [made[0]], "next": None}
    assert len(shop.api.get("/v1/intents?status=SETTLED&kind=transfer").json["data"]) == 3
    assert len(shop.api.get(f"/v1/intents?wallet_id={pair.payee}").json["data"]) == 3
    assert shop.api.get("/v1/intents?status=FAILED").json["data"] == []
    assert shop.api.get("/v1/intents?status=settled").status == 400


def test_what_has_not_settled_is_listed_without_reading_what_has(
    shop: Shop, pair: Pair, superuser_connection: psycopg.Connection
) -> None:
    for number in range(12):
        assert shop.api.post("/v1/transfers", transfer(pair.payer, pair.payee, f"{number + 1}.00")).status == 201
    waiting = shop.api.post(
        "/v1/transfers",
        {**transfer(pair.payer, pair.payee), "scheduled_for": (clock.now() + timedelta(days=1)).isoformat()},
    ).json["intent_id"]
    with rows_read("orders_intent", superuser_connection) as intents:
        assert [row["intent_id"] for row in shop.api.get("/v1/intents?status=CREATED").json["data"]] == [waiting]
    assert intents.rows < 12


def test_the_stream_ends_with_the_reference_number(shop: Shop, pair: Pair) -> None:
    told = shop.api.post("/v1/transfers", transfer(pair.payer, pair.payee)).json
    answer = shop.api.get(f"/v1/intents/{told['intent_id']}/events")
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (200, "text/event-stream")
    frames = [frame for frame in answer.body.decode().split("\n\n") if "event:" in frame]
    assert len(frames) == 1, "already settled: the present state is the end"
    lines = dict(line.split(": ", 1) for line in frames[0].splitlines())
    assert lines["event"] == "intent.SETTLED"
    data = json.loads(lines["data"])["data"]
    assert (data["status"], data["reference_number"]) == ("SETTLED", told["reference_number"])
    again = shop.api.get(f"/v1/intents/{told['intent_id']}/events", Last_Event_ID=lines["id"])
    assert again.status == 204


def test_a_key_without_the_scope_pays_nothing(shop: Shop, pair: Pair) -> None:
    reader = shop.key(scopes=["read"])
    answer = reader.post("/v1/transfers", transfer(pair.payer, pair.payee))
    assert (answer.status, answer.code, answer.json["scope"]) == (403, "scope_missing", "payments")


def test_money_moves_once_when_clients_retry_at_once(
    shop: Shop, pair: Pair, run_threads: Callable[..., Sequence[Any]]
) -> None:
    """Idempotency layers, mixed: the same key at once, another key with the same partner reference, a list with it too."""
    asked = transfer(pair.payer, pair.payee, "100.00", partner_reference="p-1")

    def single(key: str) -> Callable[[], Answer]:
        return lambda: shop.api.post("/v1/transfers", asked, key=key)

    def listed(key: str) -> Callable[[], Answer]:
        return lambda: shop.api.post("/v1/transfers/bulk", {"transfers": [asked]}, key=key)

    ends = raise_first(
        run_threads(*[single("one")] * 4, single("two"), single("three"), *[listed("list")] * 2, timeout=60)
    )
    connections.close_all()
    assert {end.status for end in ends} <= {200, 201, 409}
    settled = [end for end in ends if end.status == 201 or (end.status == 200 and end.json["settled"] == 1)]
    assert settled, [end.body for end in ends]
    assert Intent.objects.count() == 1
    assert pair.balances(shop) == ("900.00", "100.00")
    assert WalletEntry.objects.exclude(kind="opening_balance").count() == 2
    assert sum(books.moved(Intent.objects.get().reference).values()) == 2
    after = [shop.api.post("/v1/transfers", asked, key=key) for key in ("one", "one", "two")]
    assert after[0].body == after[1].body
    assert pair.balances(shop) == ("900.00", "100.00")


def test_nothing_is_lost_or_made_when_wallets_pay_each_other_at_once(
    shop: Shop, pair: Pair, run_threads: Callable[..., Sequence[Any]]
) -> None:
    fund(Wallet.objects.get(reference=pair.payee), 100_000)
    both = [transfer(pair.payee, pair.payer, "3.00"), transfer(pair.payer, pair.payee, "1.00")]

    def there() -> Answer:
        return shop.api.post("/v1/transfers", transfer(pair.payer, pair.payee, "7.00"))

    def back() -> Answer:
        return shop.api.post("/v1/transfers/bulk", {"transfers": both})

    ends = raise_first(run_threads(*[there] * 6, *[back] * 4, timeout=60))
    connections.close_all()
    assert {end.status for end in ends} == {200, 201}, [end.body for end in ends]
    assert pair.balances(shop) == ("966.00", "1034.00")
    for one in (pair.payer, pair.payee):
        newest = WalletEntry.objects.filter(wallet=one).order_by("-pk")[0]
        assert f"{int(newest.posted_minor) / 100:.2f}" in pair.balances(shop)
