"""Openings, fundings and revaluations: each has a form in the console, and takes two people."""

import html
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from ledger import accounts, revaluation
from ledger.accounts import Opening
from ledger.models import Account, Approval, Posting, Transaction
from tests.ledger.door import Item, Move, codes

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]


@pytest.fixture
def book() -> None:
    accounts.open_accounts(
        environment="test",
        openings=[
            Opening("@world", "EUR", accounts.OUTSIDE),
            Opening("bank:main", "EUR", accounts.BANK),
            Opening("pools:EUR-USD", "EUR", accounts.POOL),
            Opening("@world", "USD", accounts.OUTSIDE),
            Opening("fx:USD", "USD", accounts.FX),
        ],
    )
    assert codes(Item("position", [Move("@world", "fx:USD", 10_410, "USD")])) == ["created"]


def form(kind: str, **fields: str) -> dict[str, str]:
    return {
        "act": "propose",
        "kind": kind,
        "key": f"adjustment:{kind}",
        "environment": "test",
        "asset": "EUR",
        "reason": "as agreed",
        "effective_at": "",
        **fields,
    }


FORMS = [
    (
        form("opening", world="@world", account="bank:main", amount="250.00"),
        ("OPENING_BALANCE", "@world", "bank:main", 25_000),
    ),
    (
        form("funding", world="bank:main", pool="pools:EUR-USD", amount="40.00"),
        ("POOL_FUNDING", "bank:main", "pools:EUR-USD", 4_000),
    ),
    (
        form("revaluation", fx="fx:USD", rate_before="0.91", rate_now="0.922"),  # of 104.10 USD: 94.73 and 95.98
        ("FX_REVALUATION", "fx:USD", "revenue:fx", 125),
    ),
    (
        form("revaluation", fx="fx:USD", rate_before="0.91", rate_now="0.9"),  # 94.73 and 93.69
        ("FX_REVALUATION", "revenue:fx", "fx:USD", 104),
    ),
]


@pytest.mark.parametrize("asked, posted", FORMS, ids=lambda one: one.get("kind") if isinstance(one, dict) else one[1])
def test_each_door_takes_two_people(
    book: None, signed_in: SignIn, asked: dict[str, str], posted: tuple[str, str, str, int]
) -> None:
    maker, lead = signed_in("fay", "finance"), signed_in("lee", "finance lead")
    assert maker.post(reverse("admin:adjustments"), asked).status_code == 302
    proposal = Approval.objects.get()
    assert not Posting.objects.filter(asset="EUR").exists()
    approve = reverse("admin:adjustment-decide", args=[proposal.reference, "approve"])
    assert "may not" in html.unescape(maker.post(approve, {"reason": "me"}, follow=True).content.decode())
    assert not Posting.objects.filter(asset="EUR").exists()
    assert "Approved and posted." in lead.post(approve, {"reason": "seen"}, follow=True).content.decode()
    (posting,) = Posting.objects.select_related("transaction", "debit_account", "credit_account").filter(asset="EUR")
    told = (
        posting.transaction.event_type,
        posting.debit_account.address,
        posting.credit_account.address,
        int(posting.amount_minor),
    )
    assert told == posted
    assert posting.transaction.refs == {"approval": proposal.reference}


@pytest.mark.parametrize(
    "asked, told",
    [
        (form("opening", world="bank:main", account="bank:main", amount="1.00"), "takes no such world"),
        (form("funding", world="@world", pool="users:u1:available", amount="1.00"), "takes no such pool"),
        (form("revaluation", fx="bank:main", rate_before="1", rate_now="2"), "account is fx:{asset}"),
        (form("revaluation", fx="fx:EUR", rate_before="1", rate_now="2"), "reporting asset itself"),
        (form("revaluation", fx="fx:USD", rate_before="0.91", rate_now="0.91"), "the same at both rates"),
        (form("revaluation", fx="fx:USD", rate_before="1e3", rate_now="0.91"), "A rate is a decimal number"),
        (form("opening", world="@world", account="bank:other", amount="1.00"), "credit_account_not_found"),
    ],
)
def test_a_door_refuses_what_its_event_type_does_not_take(
    book: None, signed_in: SignIn, asked: dict[str, str], told: str
) -> None:
    answer = signed_in("fay", "finance").post(reverse("admin:adjustments"), asked)
    assert told in html.unescape(answer.content.decode())
    assert not Approval.objects.exists()
    assert Transaction.objects.count() == 1
    assert Account.objects.count() == 5


def test_a_revaluation_is_shown_with_what_it_was_computed_from(book: None, signed_in: SignIn) -> None:
    asked = {**form("revaluation", fx="fx:USD", rate_before="0.91", rate_now="0.922"), "act": "preview"}
    page = html.unescape(signed_in("fay", "finance").post(reverse("admin:adjustments"), asked).content.decode())
    assert "A position of 104.10 USD: worth 94.73 EUR at 0.91, 95.98 EUR at 0.922." in page
    assert not Approval.objects.exists()
    assert Account.objects.count() == 5


@pytest.mark.parametrize(
    ("position", "asset", "rate", "worth"),
    [
        (10_410, "USD", "0.91", 9_473),
        (1, "USD", "0.5", 1),  # half a cent is rounded up, on either side
        (-1, "USD", "0.5", -1),
        (-10_410, "USD", "0.91", -9_473),
        (10**18, "ETH", "3000.000000000000000001", 300_000),
        (123_456_789_012_345_678_901, "ETH", "3000.01", 37_037_160),
        (0, "USD", "0.91", 0),
    ],
)
def test_a_position_is_worth_its_exact_value_rounded_half_up(position: int, asset: str, rate: str, worth: int) -> None:
    assert revaluation.value(position, asset=asset, rate=rate, reporting="EUR") == worth
