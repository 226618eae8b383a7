"""Openings, fundings and revaluations: each has a form in the console, and takes two people."""

import html
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from ledger import accounts
from ledger.accounts import Opening
from ledger.models import Account, Approval, Posting, Transaction

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
            Opening("fx:USD", "EUR", accounts.FX),
            Opening(accounts.FX_RESULT, "EUR", accounts.FX_RESULT_KIND),
        ],
    )


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
        form("revaluation", fx="fx:USD", result="revenue:fx", gain="1.25"),
        ("FX_REVALUATION", "fx:USD", "revenue:fx", 125),
    ),
    (
        form("revaluation", fx="fx:USD", result="revenue:fx", loss="0.75"),
        ("FX_REVALUATION", "revenue:fx", "fx:USD", 75),
    ),
]


@pytest.mark.parametrize("asked, posted", FORMS, ids=lambda one: one.get("kind") if isinstance(one, dict) else one[1])
def test_each_door_takes_two_people(
    book: None, signed_in: SignIn, asked: dict[str, str], posted: tuple[str, str, str, int]
) -> None:
    maker, lead = signed_in("fay", "finance"), signed_in("lee", "finance lead")
    assert maker.post(reverse("admin:adjustments"), asked).status_code == 302
    proposal = Approval.objects.get()
    assert not Posting.objects.exists()
    approve = reverse("admin:adjustment-decide", args=[proposal.reference, "approve"])
    assert "may not" in html.unescape(maker.post(approve, {"reason": "me"}, follow=True).content.decode())
    assert not Posting.objects.exists()
    assert "Approved and posted." in lead.post(approve, {"reason": "seen"}, follow=True).content.decode()
    (posting,) = Posting.objects.select_related("transaction", "debit_account", "credit_account")
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
        (form("revaluation", fx="fx:USD", result="revenue:orders", gain="1.00"), "takes no such result"),
        (form("revaluation", fx="fx:USD", result="revenue:fx"), "more than zero"),
        (form("opening", world="@world", account="bank:other", amount="1.00"), "credit_account_not_found"),
    ],
)
def test_a_door_refuses_what_its_event_type_does_not_take(
    book: None, signed_in: SignIn, asked: dict[str, str], told: str
) -> None:
    answer = signed_in("fay", "finance").post(reverse("admin:adjustments"), asked)
    assert told in html.unescape(answer.content.decode())
    assert not Approval.objects.exists()
    assert not Transaction.objects.exists()
    assert Account.objects.count() == 5
