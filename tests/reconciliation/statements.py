"""Statements for tests: sources, files as banks and operators write them, and their way in."""

from collections.abc import Sequence

from ledger import accounts
from ledger.accounts import Opening
from ledger.controls import clock
from ledger.models import Account
from reconciliation.models import StatementFile, StatementLine, StatementMatch, StatementSource
from reconciliation.statements import importing, matching, sources
from reconciliation.statements.mapping import CsvMapping
from tests.ledger.door import Item, Move, codes

OPERATOR = CsvMapping(
    columns={
        "line_id": "Txn",
        "booked_on": "Date",
        "amount": "Amount",
        "direction": "Type",
        "partner_order_id": "Order",
        "our_key": "Key",
        "provider_reference": "Ref",
    },
    words_in=("debit",),
    words_out=("credit", "reverse"),
)
HEADER = "Txn,Date,Amount,Type,Order,Key,Ref"

BANK = CsvMapping(
    columns={
        "line_id": "Id",
        "booked_on": "Booked",
        "value_on": "Value",
        "amount_in": "In",
        "amount_out": "Out",
        "our_reference": "EndToEnd",
        "provider_reference": "Reference",
        "description": "Text",
    },
    delimiter="semicolon",
    date_format="DD.MM.YYYY",
    decimal_mark="comma",
)
BANK_HEADER = "Id;Booked;Value;In;Out;EndToEnd;Reference;Text"


def operator_source(*, slug: str = "acme", code: str = "acme-wallet") -> StatementSource:
    return sources.create(
        environment="test",
        code=code,
        name="Acme's wallet",
        format="csv",
        asset="EUR",
        operator_slug=slug,
        mapping=OPERATOR,
        actor="user:fay",
        now=clock.now(),
    )


def open_bank(code: str = "main") -> str:
    address = f"bank:{code}"
    openings = [Opening(address, "EUR", accounts.BANK), Opening("users:u1:available", "EUR", accounts.USER)]
    accounts.open_accounts(environment="test", openings=openings)
    return address


def bank_source(
    *, format: str = "csv", code: str = "main", asset: str = "EUR", mapping: CsvMapping | None = BANK
) -> StatementSource:
    if not Account.objects.filter(address="bank:main").exists():
        open_bank()
    return sources.create(
        environment="test",
        code=code,
        name="Main bank",
        format=format,
        asset=asset,
        bank="bank:main",
        mapping=mapping,
        actor="user:fay",
        now=clock.now(),
    )


def received(key: str, minor: int, *, subject: str = "", **refs: str) -> None:
    """Have the bank receive an amount for a user; a negative one leaves."""
    move = Move("bank:main", "users:u1:available", minor) if minor > 0 else Move("@world", "bank:main", -minor)
    if minor < 0:
        accounts.open_accounts(environment="test", openings=[Opening("@world", "EUR", accounts.OUTSIDE)])
    assert codes(Item(key, [move], subject=subject, refs=refs, effective_at=clock.now()), now=clock.now()) == [
        "created"
    ]


def text(header: str, rows: Sequence[str]) -> bytes:
    return ("\n".join([header, *rows]) + "\n").encode()


def bring(source: StatementSource, content: bytes, *, name: str = "statement.csv") -> StatementFile:
    """Receive, import and match a file."""
    file = importing.receive(source=source, name=name, content=content, actor="user:fay", now=clock.now())
    done = importing.take_in(reference=file.reference, actor="user:fay", now=clock.now())
    matching.match_source(source)
    return done


def rules() -> dict[str, str]:
    """Return the rule that matched, or why none did, per their line id."""
    told = {line.line_id: line.unmatched_because for line in StatementLine.objects.all()}
    for match in StatementMatch.objects.filter(state="standing").select_related("line"):
        told[match.line.line_id] = match.rule
    return told
