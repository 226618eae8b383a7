"""What the house posts to wallets outside flows has lines in their histories: amounts and balances add up."""

from dataclasses import replace

import pytest
from django.db import transaction as db_transaction

from ledger import accounts, direct_posting
from ledger.accounts import OUTSIDE, WORLD, Opening
from ledger.controls import clock
from ledger.drafts import Draft
from ledger.money import Money
from orders.models import WalletEntry
from tests.wallets.people import decided_by_two, fund, wallet
from wallets import holders
from wallets.models import Wallet

pytestmark = pytest.mark.usefixtures("database")


def told(found: Wallet) -> list[tuple[str, int, int, int]]:
    rows = WalletEntry.objects.filter(wallet=found.reference).order_by("pk")
    return [(one.kind, int(one.amount_minor), int(one.posted_minor), int(one.held_minor)) for one in rows]


def opening(found: Wallet, minor: int, key: str, asset: str = "EUR") -> Draft:
    return Draft(
        event_type="OPENING_BALANCE",
        key=key,
        subject="",
        amounts={"amount": Money(minor, asset)},
        accounts={"world": WORLD, "account": holders.available_address(found)},
    )


def adjustment(debit: str, credit: str, minor: int, key: str) -> Draft:
    return Draft(
        event_type="MANUAL_ADJUSTMENT",
        key=key,
        subject="",
        amounts={"amount": Money(minor, "EUR")},
        accounts={"debit": debit, "credit": credit},
    )


def hold(payer: Wallet, payee: Wallet, minor: int, key: str) -> Draft:
    amounts = {"debit": minor, "credit": minor, "fee": 0, "vat": 0}
    return Draft(
        event_type="TRANSFER_HOLD",
        key=key,
        subject="",
        amounts={name: Money(value, "EUR") for name, value in amounts.items()},
        accounts={
            "payer": holders.available_address(payer),
            "payee": holders.available_address(payee),
            "transit": accounts.TRANSFER_TRANSIT,
            "revenue": accounts.TRANSFER_REVENUE,
            "vat": accounts.VAT_PAYABLE,
        },
    )


def post(*drafts: Draft) -> list[str]:
    with db_transaction.atomic():
        outcome = direct_posting.post(environment="test", drafts=drafts, now=clock.now())
    return [one.result.code for one in outcome.posted]


@pytest.fixture(autouse=True)
def world(database: None) -> None:
    accounts.open_accounts(environment="test", openings=[Opening(WORLD, one, OUTSIDE) for one in ("EUR", "USDT")])


def test_an_adjustment_by_two_people_is_a_line_of_each_wallet_that_it_moves() -> None:
    alice, bob = wallet("alice"), wallet("bob", kind="merchant")
    fund(alice, 1_000)
    decided_by_two(adjustment(holders.available_address(alice), holders.available_address(bob), 300, "adjustment:1"))
    assert told(alice) == [("opening_balance", 1_000, 1_000, 0), ("adjustment", -300, 700, 0)]
    assert told(bob) == [("adjustment", 300, 300, 0)]
    line = WalletEntry.objects.get(wallet=bob.reference)
    assert line.subject == line.ledger_reference != ""


def test_a_list_has_a_line_for_each_of_its_postings_with_the_balance_after_it() -> None:
    alice = wallet("alice", assets=["EUR", "USDT"])
    drafts = [opening(alice, 100, "o:1"), opening(alice, 7, "o:2", "USDT"), opening(alice, 50, "o:3")]
    assert post(*drafts) == ["created"] * 3
    expected = [("opening_balance", 100, 100, 0), ("opening_balance", 7, 7, 0), ("opening_balance", 50, 150, 0)]
    assert told(alice) == expected
    assert post(*drafts, opening(alice, 1, "o:4")) == ["exists"] * 3 + ["created"]
    assert told(alice) == [*expected, ("opening_balance", 1, 151, 0)], "what stood before is not told again"


def test_a_hold_and_its_release_are_lines_too_though_the_release_names_no_account() -> None:
    alice, bob = wallet("alice"), wallet("bob")
    fund(alice, 1_000)
    post(hold(alice, bob, 400, "h:1"))
    post(Draft(event_type="TRANSFER_RELEASE", key="r:1", subject="", hold_key="h:1"))
    assert told(alice)[1:] == [("posting", -400, 1_000, 400), ("posting", 400, 1_000, 0)]
    post(hold(alice, bob, 300, "h:2"))
    post(replace(hold(alice, bob, 300, "s:2"), event_type="TRANSFER_SETTLE", hold_key="h:2"))
    assert told(alice)[3:] == [("posting", -300, 1_000, 300), ("posting", -300, 700, 0)]
    assert told(bob) == [("posting", 300, 300, 0)]


def test_nothing_is_told_when_the_ledger_refuses_or_no_wallet_is_touched() -> None:
    alice, bob = wallet("alice"), wallet("bob")
    assert post(hold(alice, bob, 400, "h:1")) == ["exceeds_credits"]
    accounts.open_accounts(environment="test", openings=[Opening("users:u1:available", "EUR", accounts.USER)])
    other = opening(alice, 5, "o:1")
    post(replace(other, accounts={"world": WORLD, "account": "users:u1:available"}))
    assert not WalletEntry.objects.exists()


def test_a_closed_wallet_is_marked_until_an_adjustment_empties_it() -> None:
    alice = wallet("alice")
    with db_transaction.atomic():
        holders.close_wallet(reference=alice.reference, actor="operator:op_1", now=clock.now())
    post(opening(alice, 100, "o:1"))
    assert Wallet.objects.filter(moved_after_close_at__isnull=False).count() == 1
    decided_by_two(adjustment(holders.available_address(alice), WORLD, 100, "adjustment:1"))
    assert told(alice)[-1] == ("adjustment", -100, 0, 0)
    assert not Wallet.objects.filter(moved_after_close_at__isnull=False).exists()
