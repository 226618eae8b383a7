"""Two people of finance who change templates, and the accounts of one merchant."""

from typing import Final

from ledger import accounts, journal
from ledger.accounts import Opening
from ledger.chart import bundled, versions
from ledger.controls import clock
from ledger.drafts import Draft
from ledger.models.chart import Version
from ledger.money import Money

ENVIRONMENT: Final = "test"
FINANCE: Final = "user:fina"
LEAD: Final = "user:lee"

BANK: Final = accounts.bank("main")
MERCHANT: Final = accounts.merchant("m1")
RECEIVABLE: Final = accounts.merchant_receivable("m1")


def open_accounts() -> None:
    accounts.open_accounts(
        environment=ENVIRONMENT,
        openings=[
            Opening(BANK, "EUR", accounts.BANK),
            Opening(MERCHANT, "EUR", accounts.MERCHANT),
            Opening(RECEIVABLE, "EUR", accounts.MERCHANT_RECEIVABLE),
            Opening(accounts.PAYIN_REVENUE, "EUR", accounts.kind("4010")),
            Opening(accounts.PAYOUT_REVENUE, "EUR", accounts.kind("4020")),
            Opening(accounts.VAT_PAYABLE, "EUR", accounts.VAT),
        ],
    )


def collection(key: str, net: int, *, fee: int = 0, vat: int = 0) -> Draft:
    return Draft(
        event_type="PAYIN_COLLECTION",
        key=key,
        subject="evt_1",
        amounts={"net": Money(net, "EUR"), "fee": Money(fee, "EUR"), "vat": Money(vat, "EUR")},
        accounts={
            "bank": BANK,
            "wallet": MERCHANT,
            "revenue": accounts.PAYIN_REVENUE,
            "vat": accounts.VAT_PAYABLE,
        },
    )


def chargeback(key: str, amount: int) -> Draft:
    return Draft(
        event_type="PAYIN_CHARGEBACK",
        key=key,
        subject="evt_2",
        amounts={"amount": Money(amount, "EUR")},
        accounts={"wallet": MERCHANT, "receivable": RECEIVABLE, "bank": BANK},
    )


def codes(*drafts: Draft) -> list[str]:
    return [result.code for result in journal.post(environment=ENVIRONMENT, drafts=drafts)]


def baseline(event_type: str) -> str:
    return bundled.sources()[event_type]


def proposed(event_type: str, source: str, *, environment: str = ENVIRONMENT) -> Version:
    """Propose a template, as finance."""
    (row,) = versions.propose(
        environment=environment,
        event_type=event_type,
        source=source,
        content=None,
        note="a new contract",
        actor=FINANCE,
        now=clock.now(),
    )
    return row


def activated(event_type: str, source: str) -> Version:
    """Propose a template and activate it, by two people."""
    row = proposed(event_type, source)
    versions.activate(reference=row.reference, reason="agreed", actor=LEAD, now=clock.now())
    return row
