"""Wallets through REST: opened idempotently, listed, shown, with history; closed by their operator when empty."""

from typing import Any

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.models import Account
from orders.models import WalletEntry
from orders.wallet_views import HistoryEntry, WalletHistory
from tests.rest.calls import WALLET, transfer
from tests.rest.conftest import Shop
from tests.rest.tables import fingerprint
from tests.wallets.people import fund
from wallets import holders
from wallets.models import Wallet, WalletFreeze
from wallets.wallet_views import WalletAnswer, WalletBalanceAnswer, WalletBalances, WalletPage


def _opened(shop: Shop, **changed: object) -> dict[str, Any]:
    answer = shop.api.post("/v1/wallets", {**WALLET, **changed})
    assert answer.status in (200, 201), answer.body
    found: dict[str, Any] = answer.json
    return found


def test_a_wallet_is_opened_once_whatever_is_repeated(shop: Shop) -> None:
    first = shop.api.post("/v1/wallets", WALLET, key="one")
    replayed = shop.api.post("/v1/wallets", WALLET, key="one")
    again = shop.api.post("/v1/wallets", {**WALLET, "assets": ["USDT"]}, key="two")
    assert (first.status, replayed.status, again.status) == (201, 201, 200)
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Location"] == f"/v1/wallets/{first.json['wallet_id']}"
    assert again.json == {**first.json, "assets": ["EUR", "USDT"]}
    assert shop.api.get(first.headers["Location"]).json == again.json
    assert Wallet.objects.count() == 1


def test_wallets_are_listed_newest_first_in_pages(shop: Shop) -> None:
    made = [_opened(shop, user_reference=f"user-{n}")["wallet_id"] for n in range(3)]
    _opened(shop, user_reference="shop", kind="merchant")
    page = shop.api.get("/v1/wallets?kind=user&limit=2").json
    assert [row["wallet_id"] for row in page["data"]] == [made[2], made[1]]
    rest = shop.api.get(f"/v1/wallets?kind=user&after={page['next']}").json
    assert ([row["wallet_id"] for row in rest["data"]], rest["next"]) == ([made[0]], None)
    (found,) = shop.api.get("/v1/wallets?user_reference=user-1").json["data"]
    assert found["wallet_id"] == made[1]


def test_balances_are_posted_held_and_available(shop: Shop) -> None:
    wallet_id = _opened(shop, assets=["EUR", "USDT"])["wallet_id"]
    fund(Wallet.objects.get(reference=wallet_id), 12_345)
    told = shop.api.get(f"/v1/wallets/{wallet_id}/balances").json
    nothing = {"posted": "0.000000", "held": "0.000000", "available": "0.000000"}
    assert told["data"] == [
        {"asset": "EUR", "posted": "123.45", "held": "0.00", "available": "123.45", "incoming": "0.00", "receivable": "0.00"},
        {"asset": "USDT", **nothing, "incoming": "0.000000", "receivable": "0.000000"},
    ]  # fmt: skip


def test_history_is_told_newest_first_with_the_balances_after_each(shop: Shop) -> None:
    wallet_id = _opened(shop, assets=["EUR", "USDT"])["wallet_id"]
    wallet = Wallet.objects.get(reference=wallet_id)
    for n, (asset, minor, posted, held) in enumerate(
        [("EUR", 5_000, 5_000, 0), ("EUR", -1_200, 3_800, 0), ("USDT", 7, 7, 0), ("EUR", 0, 3_800, 800)]
    ):
        WalletEntry.objects.create(
            wallet=wallet_id, environment="test", operator_id=wallet.operator_id, subject=f"int_{n}", kind="transfer_in",
            asset=asset, amount_minor=minor, posted_minor=posted, held_minor=held, recorded_at=clock.now(),
        )  # fmt: skip
    history = f"/v1/wallets/{wallet_id}/history"
    page = shop.api.get(f"{history}?asset=EUR&limit=2").json
    assert [(row["amount"], row["posted"], row["held"], row["available"]) for row in page["data"]] == [
        ("0.00", "38.00", "8.00", "30.00"),
        ("-12.00", "38.00", "0.00", "38.00"),
    ]
    rest = shop.api.get(f"{history}?asset=EUR&limit=2&after={page['next']}").json
    assert ([row["amount"] for row in rest["data"]], rest["next"]) == (["50.00"], None)
    assert len(shop.api.get(history).json["data"]) == 4
    for cursor in ("x", "YSBi", "aW50XzkgeA", page["next"] + "A", "%00"):
        answer = shop.api.get(f"{history}?after={cursor}")
        assert (answer.status, answer.code) in ((400, "malformed_cursor"), (400, "malformed")), cursor
    for made, shape in ((page, WalletHistory), (page["data"][0], HistoryEntry)):
        assert set(made) == set(shape().fields)


def test_an_empty_wallet_is_closed_by_its_operator_and_stays_so(shop: Shop) -> None:
    wallet_id = _opened(shop)["wallet_id"]
    closed = shop.api.post(f"/v1/wallets/{wallet_id}/close")
    assert (closed.status, closed.json["status"]) == (200, "closed")
    again = shop.api.post(f"/v1/wallets/{wallet_id}/close")
    assert (again.status, again.json) == (200, closed.json)
    refused = shop.api.post("/v1/wallets", WALLET)
    assert (refused.status, refused.code) == (409, "wallet_closed")
    assert Wallet.objects.get().closed_by == f"operator:{shop.operator.reference}"


def test_a_wallet_with_money_is_not_closed(shop: Shop) -> None:
    wallet_id = _opened(shop)["wallet_id"]
    fund(Wallet.objects.get(reference=wallet_id), 1)
    refused = shop.api.post(f"/v1/wallets/{wallet_id}/close")
    assert (refused.status, refused.code) == (409, "wallet_not_empty")
    assert shop.api.get(f"/v1/wallets/{wallet_id}").json["status"] == "open"


def test_a_frozen_wallet_says_so(shop: Shop) -> None:
    wallet_id = _opened(shop)["wallet_id"]
    with db_transaction.atomic():
        holders.freeze_wallet(reference=wallet_id, reason="staff's words", actor="user:olga", now=clock.now())
    told = shop.api.get(f"/v1/wallets/{wallet_id}")
    assert told.json["status"] == "frozen"
    assert b"staff" not in told.body, "the reason is ours"


def test_a_wallet_is_frozen_and_lifted_by_its_operator(shop: Shop, rival: Shop) -> None:
    wallet_id = _opened(shop)["wallet_id"]
    fund(Wallet.objects.get(reference=wallet_id), 10_000)
    other = shop.api.post("/v1/wallets", {**WALLET, "user_reference": "bob"}).json["wallet_id"]
    asked = {"reason": "card lost"}
    assert rival.api.post(f"/v1/wallets/{wallet_id}/freeze", asked).status == 404
    frozen = shop.api.post(f"/v1/wallets/{wallet_id}/freeze", asked, key="f-1")
    assert (frozen.status, frozen.json["status"]) == (200, "frozen")
    replay = shop.api.post(f"/v1/wallets/{wallet_id}/freeze", asked, key="f-1")
    assert (replay.body, WalletFreeze.objects.count()) == (frozen.body, 1)
    again = shop.api.post(f"/v1/wallets/{wallet_id}/freeze", asked)
    assert (again.status, again.code) == (409, "wallet_frozen")
    paid = shop.api.post("/v1/transfers", transfer(wallet_id, other))
    assert (paid.status, paid.code) == (409, "wallet_frozen")
    assert rival.api.post(f"/v1/wallets/{wallet_id}/lift-freeze").status == 404
    lifted = shop.api.post(f"/v1/wallets/{wallet_id}/lift-freeze")
    assert (lifted.status, lifted.json["status"]) == (200, "open")
    assert shop.api.post("/v1/transfers", transfer(wallet_id, other)).status == 201
    none = shop.api.post(f"/v1/wallets/{wallet_id}/lift-freeze")
    assert (none.status, none.code) == (409, "wallet_not_frozen")
    row = WalletFreeze.objects.get()
    assert {row.frozen_by, row.lifted_by} == {f"operator:{shop.operator.reference}"}


def test_what_the_house_has_frozen_its_operator_does_not_lift(shop: Shop) -> None:
    wallet_id = _opened(shop)["wallet_id"]
    with db_transaction.atomic():
        holders.freeze_wallet(reference=wallet_id, reason="a court's order", actor="user:lena", now=clock.now())
    refused = shop.api.post(f"/v1/wallets/{wallet_id}/lift-freeze")
    assert (refused.status, refused.code) == (409, "freeze_not_yours")
    assert WalletFreeze.objects.get().lifted_at is None
    assert shop.api.get(f"/v1/wallets/{wallet_id}").json["status"] == "frozen"


def test_a_wallet_that_its_operator_frees_pays_nothing_while_the_house_has_frozen_it(shop: Shop) -> None:
    wallet_id = _opened(shop)["wallet_id"]
    fund(Wallet.objects.get(reference=wallet_id), 10_000)
    other = shop.api.post("/v1/wallets", {**WALLET, "user_reference": "bob"}).json["wallet_id"]
    assert shop.api.post(f"/v1/wallets/{wallet_id}/freeze", {"reason": "card lost"}).status == 200
    with db_transaction.atomic():
        holders.freeze_wallet(reference=wallet_id, reason="a court's order", actor="user:lena", now=clock.now())
    lifted = shop.api.post(f"/v1/wallets/{wallet_id}/lift-freeze")
    assert (lifted.status, lifted.json["status"]) == (200, "frozen")
    paid = shop.api.post("/v1/transfers", transfer(wallet_id, other))
    assert (paid.status, paid.code) == (409, "wallet_frozen")
    again = shop.api.post(f"/v1/wallets/{wallet_id}/lift-freeze")
    assert (again.status, again.code) == (409, "freeze_not_yours")
    with db_transaction.atomic():
        holders.lift_freeze(reference=wallet_id, actor="user:lena", now=clock.now())
    assert shop.api.post("/v1/transfers", transfer(wallet_id, other)).status == 201


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " "}, {"reason": 1}, {"reason": "x" * 201}])
def test_a_freeze_needs_a_reason(body: dict[str, object], shop: Shop) -> None:
    wallet_id = _opened(shop)["wallet_id"]
    answer = shop.api.post(f"/v1/wallets/{wallet_id}/freeze", body)
    assert (answer.status, answer.code) == (400, "malformed")
    assert not WalletFreeze.objects.exists()


@pytest.mark.parametrize(
    ("case", "changed", "status", "code"),
    [
        ("an unknown kind", {"kind": "pet"}, 400, "malformed"),
        ("a blank in the name", {"user_reference": "a b"}, 400, "malformed"),
        ("no assets", {"assets": []}, 400, "malformed"),
        ("an asset twice", {"assets": ["EUR", "EUR"]}, 400, "malformed"),
        ("too many assets", {"assets": ["EUR"] * 21}, 400, "malformed"),
        ("assets that are no list", {"assets": "EUR"}, 400, "malformed"),
        ("an asset that is no text", {"assets": [1]}, 400, "malformed"),
        ("an asset that there is not", {"assets": ["XXX"]}, 422, "unknown_asset"),
        ("another field", {"balance": "1.00"}, 400, "malformed"),
    ],
)
def test_nothing_is_opened_when_the_request_is_off(
    case: str, changed: dict[str, object], status: int, code: str, shop: Shop
) -> None:
    before = fingerprint()
    answer = shop.api.post("/v1/wallets", {**WALLET, **changed})
    assert (answer.status, answer.code) == (status, code)
    assert fingerprint() == before
    assert not Account.objects.filter(address__startswith="users:").exists()


def test_answers_have_the_fields_that_the_document_says(shop: Shop) -> None:
    made = _opened(shop)
    balances = shop.api.get(f"/v1/wallets/{made['wallet_id']}/balances").json
    for told, shape in (
        (made, WalletAnswer),
        (shop.api.get("/v1/wallets").json, WalletPage),
        (balances, WalletBalances),
        (balances["data"][0], WalletBalanceAnswer),
    ):
        assert set(told) == set(shape().fields)


def test_opening_needs_its_scope(shop: Shop) -> None:
    answer = shop.key(scopes=["read", "payments"]).post("/v1/wallets", WALLET)
    assert (answer.status, answer.code) == (403, "scope_missing")
