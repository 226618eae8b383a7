"""Wallets in the console: listed, shown with balances, statement and freezes; frozen and lifted by an ops lead."""

from collections.abc import Callable
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.db import transaction as db_transaction
from django.test import Client
from django.urls import reverse

from ledger.controls import clock
from orders.models import WalletEntry
from reconciliation.models import Notice
from reconciliation.notices import raise_new
from tests.wallets.people import fund, operator, wallet
from wallets import holders
from wallets.models import Wallet, WalletFreeze

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]


def _page(client: Client, found: Wallet, query: str = "") -> str:
    response = client.get(reverse("admin:wallet-page", args=[found.reference]) + query)
    assert response.status_code == 200
    return unescape(response.content.decode())


def _do(client: Client, name: str, found: Wallet, **form: str) -> str:
    url = reverse("admin:operation", args=[name])
    response = client.post(url, {"reference": found.reference, **form})
    return unescape(response.content.decode()) if response.status_code == 200 else str(response.status_code)


@pytest.mark.parametrize(
    ("role", "sees"),
    [("support", True), ("ops", True), ("finance", True), ("auditor", True), ("admin", False)],
)
def test_who_sees_wallets(role: str, sees: bool, signed_in: SignIn) -> None:
    found = wallet()
    client = signed_in("somebody", role)
    expected = 200 if sees else 403
    assert client.get(reverse("admin:wallet-page", args=[found.reference])).status_code == expected
    listed = client.get(reverse("admin:wallets_wallet_changelist"))
    assert listed.status_code == expected
    if sees:
        assert found.reference in listed.content.decode()
        one = client.get(reverse("admin:wallets_wallet_change", args=[found.pk]))
        assert one.headers["Location"] == reverse("admin:wallet-page", args=[found.reference])


def test_a_wallet_shows_its_balances_statement_and_history(signed_in: SignIn) -> None:
    found = wallet(assets=["EUR", "USDT"])
    fund(found, 12_345)
    WalletEntry.objects.create(
        wallet=found.reference, environment="test", operator_id=found.operator_id, subject="int_1", kind="payin",
        asset="EUR", amount_minor=12_345, posted_minor=12_345, held_minor=0, recorded_at=clock.now(),
    )  # fmt: skip
    page = _page(signed_in("fina", "finance"), found)
    assert "<strong>123.45 EUR</strong>" in page
    assert "OPENING_BALANCE" in page
    assert "+123.45 EUR" in page
    assert "@world" in page
    assert ">payin<" in page
    assert reverse("admin:ledger-account", args=["test", "EUR", holders.available_address(found)]) in page
    assert "Nothing was posted." in _page(signed_in("sam", "support"), found, "?asset=USDT")
    client = signed_in("olga", "ops")
    assert reverse("admin:ledger-account", args=["test", "EUR", holders.available_address(found)]) not in _page(
        client, found
    )
    for query in ("?asset=XXX", "?asset="):
        assert client.get(reverse("admin:wallet-page", args=[found.reference]) + query).status_code == 404
    assert client.get(reverse("admin:wallet-page", args=["wal_0"])).status_code == 404


def test_a_wallet_is_frozen_and_lifted_by_an_ops_lead_and_by_nobody_else(signed_in: SignIn) -> None:
    found = wallet()
    ops, lead = signed_in("olga", "ops"), signed_in("lena", "ops lead")
    assert "Your role may not halt pools" in _page(ops, found)
    assert _do(ops, "freeze-wallet", found, reason="x") == "403"
    assert "It is not frozen." in _page(lead, found)
    assert "A reason is needed" in _do(lead, "freeze-wallet", found, reason=" ")
    assert WalletFreeze.objects.count() == 0
    assert "is frozen: it pays nothing out" in _do(lead, "freeze-wallet", found, reason="a court's order")
    page = _page(lead, found)
    assert "You have frozen it already." in page
    assert "a court's order" in page
    with pytest.raises(holders.WalletFrozen):
        holders.refuse_paying(found)
    assert "You have frozen the wallet already." in _do(lead, "freeze-wallet", found, reason="again")
    assert WalletFreeze.objects.count() == 1
    assert "may pay again" in _do(lead, "lift-wallet-freeze", found)
    holders.refuse_paying(found)
    assert "There is no such wallet" in _do(lead, "freeze-wallet", Wallet(reference="wal_0"), reason="x")


def test_each_freeze_of_a_wallet_is_shown_and_lifted_by_itself(signed_in: SignIn) -> None:
    found = wallet()
    lead = signed_in("lena", "ops lead")
    with db_transaction.atomic():
        holders.freeze_wallet(reference=found.reference, reason="card lost", actor="operator:op_1", now=clock.now())
    assert "is frozen: it pays nothing out" in _do(lead, "freeze-wallet", found, reason="a court's order")
    page = _page(lead, found)
    for said in ("by operator:op_1: card lost", "by user:lena: a court's order", "<option>operator:op_1</option>"):
        assert said in page
    assert "Several freezes stand" in _do(lead, "lift-wallet-freeze", found)
    told = _do(lead, "lift-wallet-freeze", found, frozen_by="operator:op_1")
    assert f"{found.reference} stays frozen by user:lena." in told
    assert [one.frozen_by for one in holders.standing_freezes(found)] == ["user:lena"]
    assert "may pay again" in _do(lead, "lift-wallet-freeze", found, frozen_by="user:lena")


def test_a_wallet_is_opened_and_closed_by_an_ops_lead_through_the_doors_that_operators_have(signed_in: SignIn) -> None:
    operator("acme")
    ops, lead = signed_in("olga", "ops"), signed_in("lena", "ops lead")
    form = {"slug": "acme", "environment": "test", "kind": "user", "user_reference": "alice", "assets": "EUR, USDT"}
    nobody = Wallet(reference="")
    assert _do(ops, "open-wallet", nobody, **form) == "403"
    for off in ({"slug": "nobody"}, {"environment": "prod"}, {"kind": "pet"}, {"assets": ""}, {"assets": "XXX"}):
        _do(lead, "open-wallet", nobody, **{**form, **off})
    assert not Wallet.objects.exists()
    assert "is open." in _do(lead, "open-wallet", nobody, **form)
    found = Wallet.objects.get()
    assert [one.asset for one in holders.balances_of(found)] == ["EUR", "USDT"]
    assert "is open." in _do(lead, "open-wallet", nobody, **{**form, "assets": "EUR THB"})
    assert (Wallet.objects.count(), len(holders.balances_of(found))) == (1, 3)

    fund(found, 1)
    assert "A wallet with money, holds or debts in it cannot be closed." in _page(lead, found)
    assert "cannot be closed" in _do(lead, "close-wallet", found)
    other = wallet("bob")
    assert _do(ops, "close-wallet", other) == "403"
    assert "is closed." in _do(lead, "close-wallet", other)
    other.refresh_from_db()
    found.refresh_from_db()
    assert (other.closed_by, found.closed_at) == ("user:lena", None)


def test_a_closed_wallet_offers_nothing(signed_in: SignIn) -> None:
    found = wallet()
    Wallet.objects.filter(pk=found.pk).update(closed_at=clock.now(), closed_by="operator:op_1")
    page = _page(signed_in("lena", "ops lead"), found)
    assert page.count("The wallet is closed.") >= 2
    assert "operator:op_1" in page


def test_a_closed_wallet_that_has_money_is_seen_and_opened_again(signed_in: SignIn) -> None:
    found = wallet()
    ops, lead = signed_in("olga", "ops"), signed_in("lena", "ops lead")
    home, listed = reverse("admin:index"), reverse("admin:wallets_wallet_changelist")
    marked = listed + "?moved_after_close_at__isnull=False"
    with db_transaction.atomic():
        holders.close_wallet(reference=found.reference, actor="operator:op_1", now=clock.now())
    assert found.reference not in ops.get(marked).content.decode()
    assert raise_new() == 0
    fund(found, 500)
    with db_transaction.atomic():
        holders.note_movement(holders.lock_wallet(found.reference), now=clock.now())
    assert found.reference in ops.get(marked).content.decode()
    (tile,) = [one for one in ops.get(home).context["tiles"] if one.title == "Closed wallets with money"]
    assert (tile.count, tile.url, tile.alarming) == (1, marked, True)
    assert (raise_new(), raise_new(), Notice.objects.get().kind) == (1, 0, "closed_wallet_moved")
    assert "open it again, so that it can be paid out" in _page(lead, found)
    assert _do(ops, "reopen-wallet", found, reason="paid late") == "403"
    assert "is open again" in _do(lead, "reopen-wallet", found, reason="paid late")
    assert "The wallet is not closed." in _do(lead, "reopen-wallet", found, reason="again")
    page = _page(lead, found)
    assert "by user:lena: paid late (closed " in page
    assert "It is not closed." in page
    holders.refuse_paying(Wallet.objects.get())
    logged = LogEntry.objects.get(object_repr="Open a closed wallet again")
    assert (logged.object_id, logged.change_message) == (found.reference, "paid late")
