"""Wallets: opened once whatever is repeated or comes at once; frozen, lifted, closed only when empty."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import transaction as db_transaction

from ledger import accounts, journal
from ledger.assets import UnknownAsset
from ledger.controls import clock
from ledger.controls.refusals import Malformed, NotFound
from ledger.drafts import Draft
from ledger.environments import Environment
from ledger.models import Account
from ledger.money import Money
from tests.wallets.people import fund, operator, wallet
from wallets import holders
from wallets.holders import AssetBalance
from wallets.models import Wallet, WalletAsset, WalletFreeze, WalletReopening

pytestmark = pytest.mark.usefixtures("database")


def test_a_wallet_is_opened_with_the_accounts_that_its_payments_post_to() -> None:
    opened = wallet("alice", assets=["EUR", "USDT"])
    addresses = set(Account.objects.filter(asset="USDT").values_list("address", "gl_code"))
    assert {
        (f"users:{opened.reference}:available", "2005"),
        (f"users:{opened.reference}:receivable", "1305"),
        (accounts.TRANSFER_TRANSIT, "2910"),
        (accounts.TRANSFER_REVENUE, "4030"),
        (accounts.PAYOUT_REVENUE, "4020"),
        (accounts.PAYIN_REVENUE, "4010"),
        (accounts.VAT_PAYABLE, "2500"),
    } <= addresses
    merchant = wallet("shop", kind="merchant")
    assert holders.available_address(merchant) == f"merchants:{merchant.reference}:available"
    assert holders.receivable_address(merchant) == f"merchants:{merchant.reference}:receivable"


def test_the_same_wallet_is_answered_when_it_is_opened_again() -> None:
    first = wallet("alice")
    again = wallet("alice", assets=["USDT"])
    assert again.pk == first.pk
    assert [one.asset for one in holders.balances_of(first)] == ["EUR", "USDT"]
    assert wallet("alice", kind="merchant").pk != first.pk
    assert wallet("alice", owner=operator("rival")).pk != first.pk


def test_one_wallet_is_opened_when_many_ask_at_once(run_threads: Callable[..., Sequence[Any]]) -> None:
    owner = operator()
    ends = run_threads(*[lambda: wallet("alice", owner=owner, assets=["EUR", "USDT"]).reference for _ in range(8)])
    assert len(set(ends)) == 1, ends
    assert (Wallet.objects.count(), WalletAsset.objects.count()) == (1, 2)


MALFORMED = [
    ("an unknown kind", {"kind": "pet"}, Malformed, "kind"),
    ("a name with blanks", {"user_reference": "a b"}, Malformed, "user_reference"),
    ("an empty name", {"user_reference": ""}, Malformed, "user_reference"),
    ("no asset", {"assets": []}, Malformed, "assets"),
    ("one asset twice", {"assets": ["EUR", "EUR"]}, Malformed, "assets"),
    ("an asset that there is not", {"assets": ["XXX"]}, UnknownAsset, ""),
]


@pytest.mark.parametrize(("case", "changed", "refusal", "field"), MALFORMED, ids=[row[0] for row in MALFORMED])
def test_nothing_is_opened_when_the_wallet_is_malformed(
    case: str, changed: dict[str, Any], refusal: type[Exception], field: str
) -> None:
    given = {"user_reference": "alice", **changed}
    with pytest.raises(refusal) as caught:
        wallet(**given)
    assert not field or field in caught.value.errors  # type: ignore[attr-defined]  # a refusal
    assert (Wallet.objects.count(), Account.objects.filter(address__startswith="users:").count()) == (0, 0)


def test_a_wallet_is_found_by_its_operator_alone() -> None:
    found = wallet("alice")
    known: dict[str, Any] = {"reference": found.reference, "operator_id": found.operator_id, "environment": "test"}
    assert holders.find_wallet(**known).pk == found.pk
    for other in ({"operator_id": operator("rival").pk}, {"environment": "live"}, {"reference": "wal_" + "0" * 26}):
        with pytest.raises(NotFound):
            holders.find_wallet(**{**known, **other})


@db_transaction.atomic
def _freeze(found: Wallet, reason: str = "a court's order") -> None:
    holders.freeze_wallet(reference=found.reference, reason=reason, actor="user:olga", now=clock.now())


@db_transaction.atomic
def _lift(found: Wallet) -> None:
    holders.lift_freeze(reference=found.reference, actor="user:olga", now=clock.now())


@db_transaction.atomic
def _close(found: Wallet) -> Wallet:
    return holders.close_wallet(reference=found.reference, actor="operator:op_1", now=clock.now())


def test_a_frozen_wallet_pays_nothing_and_is_still_credited() -> None:
    found = wallet()
    _freeze(found)
    with pytest.raises(holders.WalletFrozen):
        holders.refuse_paying(found)
    holders.refuse_receiving(found)
    with pytest.raises(holders.WalletFrozen):
        _freeze(found)
    with pytest.raises(Malformed):
        _freeze(wallet("bob"), reason=" ")
    _lift(found)
    holders.refuse_paying(found)
    with pytest.raises(holders.WalletNotFrozen):
        _lift(found)
    row = WalletFreeze.objects.get()
    assert (row.frozen_by, row.lifted_by, row.reason) == ("user:olga", "user:olga", "a court's order")


def test_a_wallet_pays_only_when_no_freeze_stands() -> None:
    """The house's freeze is not refused because its operator's stands, and outlives it."""
    found = wallet()
    theirs, ours = "operator:op_1", "user:olga"
    for actor in (theirs, ours):
        with db_transaction.atomic():
            holders.freeze_wallet(reference=found.reference, reason=f"{actor}'s", actor=actor, now=clock.now())
        with pytest.raises(holders.WalletFrozen), db_transaction.atomic():
            holders.freeze_wallet(reference=found.reference, reason="again", actor=actor, now=clock.now())
    assert [one.frozen_by for one in holders.standing_freezes(found)] == [theirs, ours]
    with pytest.raises(Malformed):
        _lift(found)
    with pytest.raises(holders.WalletNotFrozen), db_transaction.atomic():
        holders.lift_freeze(reference=found.reference, actor=ours, frozen_by="user:lena", now=clock.now())
    with db_transaction.atomic():
        holders.lift_freeze(reference=found.reference, actor=theirs, only_own=True, now=clock.now())
    with pytest.raises(holders.WalletFrozen):
        holders.refuse_paying(found)
    with pytest.raises(holders.FreezeNotYours), db_transaction.atomic():
        holders.lift_freeze(reference=found.reference, actor=theirs, only_own=True, now=clock.now())
    with db_transaction.atomic():
        holders.lift_freeze(reference=found.reference, actor="user:lena", frozen_by=ours, now=clock.now())
    holders.refuse_paying(found)
    assert list(WalletFreeze.objects.order_by("pk").values_list("frozen_by", "lifted_by")) == [
        (theirs, theirs),
        (ours, "user:lena"),
    ]


def test_a_wallet_with_money_cannot_close_and_an_empty_one_closes_for_good() -> None:
    found = wallet(assets=["EUR", "USDT"])
    fund(found, 1, "USDT")
    assert holders.balances_of(found) == [AssetBalance("EUR", 0, 0, 0, 0), AssetBalance("USDT", 1, 0, 0, 0)]
    with pytest.raises(holders.WalletNotEmpty):
        _close(found)
    holders.refuse_paying(Wallet.objects.get(pk=found.pk))
    empty = wallet("bob")
    closed = _close(empty)
    assert (closed.closed_by, _close(empty).closed_at) == ("operator:op_1", closed.closed_at)
    for act in (lambda: holders.refuse_paying(closed), lambda: holders.refuse_receiving(closed), lambda: wallet("bob")):
        with pytest.raises(holders.WalletClosed):
            act()


def test_a_closed_wallet_is_marked_while_something_is_in_it_and_opened_again() -> None:
    found = wallet()
    _close(found)
    with db_transaction.atomic():
        holders.note_movement(holders.lock_wallet(found.reference), now=clock.now())
    assert Wallet.objects.get().moved_after_close_at is None, "it is empty"
    fund(found, 500)
    with db_transaction.atomic():
        holders.note_movement(holders.lock_wallet(found.reference), now=clock.now())
    assert Wallet.objects.get().moved_after_close_at is not None
    with pytest.raises(Malformed), db_transaction.atomic():
        holders.reopen_wallet(reference=found.reference, reason=" ", actor="user:lena", now=clock.now())
    closed_at = Wallet.objects.get().closed_at
    with db_transaction.atomic():
        opened = holders.reopen_wallet(
            reference=found.reference, reason="paid late", actor="user:lena", now=clock.now()
        )
    holders.refuse_paying(opened)
    again = wallet()
    assert (again.pk, again.closed_by, again.moved_after_close_at) == (found.pk, "", None)
    row = WalletReopening.objects.get()
    assert (row.closed_at, row.closed_by) == (closed_at, "operator:op_1")
    assert (row.reopened_by, row.reason) == ("user:lena", "paid late")
    with pytest.raises(holders.WalletNotClosed), db_transaction.atomic():
        holders.reopen_wallet(reference=found.reference, reason="again", actor="user:lena", now=clock.now())


def test_a_freeze_outlives_a_close() -> None:
    found = wallet()
    _freeze(found)
    _close(found)
    with db_transaction.atomic():
        opened = holders.reopen_wallet(
            reference=found.reference, reason="paid late", actor="user:lena", now=clock.now()
        )
    with pytest.raises(holders.WalletFrozen):
        holders.refuse_paying(opened)


def test_a_wallet_with_money_on_its_way_in_cannot_close() -> None:
    """A hold towards it that is not settled yet: nothing is posted, and it is not empty."""
    payer, payee = wallet("alice"), wallet("bob")
    fund(payer, 1_000)
    amounts = {
        "debit": Money(1_000, "EUR"),
        "credit": Money(1_000, "EUR"),
        "fee": Money(0, "EUR"),
        "vat": Money(0, "EUR"),
    }
    places = {
        "payer": holders.available_address(payer), "payee": holders.available_address(payee),
        "transit": accounts.TRANSFER_TRANSIT, "revenue": accounts.TRANSFER_REVENUE, "vat": accounts.VAT_PAYABLE,
    }  # fmt: skip
    hold = Draft(event_type="TRANSFER_HOLD", key="hold", subject="int_1", amounts=amounts, accounts=places, timeout=300)
    journal.post_all(environment=Environment.TEST, drafts=[hold])
    assert holders.balances_of(payer) == [AssetBalance("EUR", posted=1_000, held=1_000, incoming=0, receivable=0)]
    assert holders.balances_of(payer)[0].available == 0
    assert holders.balances_of(payee) == [AssetBalance("EUR", posted=0, held=0, incoming=1_000, receivable=0)]
    for one in (payer, payee):
        with pytest.raises(holders.WalletNotEmpty):
            _close(one)


def test_nothing_is_paid_into_a_wallet_that_closes_at_the_same_time(run_threads: Callable[..., Sequence[Any]]) -> None:
    """Whoever pays locks the wallet's row, and so does a close: one of them sees what the other did."""
    for n in range(6):
        found = wallet(f"user-{n}")

        @db_transaction.atomic
        def pay(found: Wallet = found) -> str:
            holders.refuse_receiving(holders.lock_wallet(found.reference))
            fund(found, 100)
            return "paid"

        ends = run_threads(pay, lambda found=found: _close(found).reference)
        paid, closed = ("paid" in ends), (found.reference in ends)
        assert paid != closed, ends
        assert holders.balances_of(found)[0].posted == (100 if paid else 0)


def test_wallets_are_locked_in_one_order() -> None:
    first, second = wallet("alice"), wallet("bob")
    with db_transaction.atomic():
        found = holders.lock_wallets([second.reference, first.reference, second.reference])
    assert list(found) == sorted([first.reference, second.reference])
    with pytest.raises(NotFound), db_transaction.atomic():
        holders.lock_wallets([first.reference, "wal_" + "0" * 26])
    assert first.environment == Environment.TEST
