"""Call the write door by itself: items with any postings, without event types or templates."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from ledger import accounts, balances
from ledger.accounts import AccountKind, Opening
from ledger.models.journal import AccountClass, BalanceRule

MAXIMUM: Final = 2**128 - 1
ENVIRONMENT: Final = "test"

FREE: Final = AccountKind(AccountClass.EQUITY, "3900", "credit", "outside", BalanceRule.NONE)
NEVER_OVERDRAWN: Final = AccountKind(
    AccountClass.LIABILITY, "2004", "credit", "", BalanceRule.DEBITS_MUST_NOT_EXCEED_CREDITS
)
NEVER_CREDITED_BEYOND: Final = AccountKind(
    AccountClass.ASSET, "1000", "debit", "", BalanceRule.CREDITS_MUST_NOT_EXCEED_DEBITS
)


@dataclass(frozen=True, slots=True)
class Move:
    """One posting: `amount` minor units of `asset`."""

    debit: str
    credit: str
    amount: object
    asset: str = "EUR"


@dataclass(frozen=True, slots=True)
class Item:
    """One transaction of a list, as the SQL function takes it."""

    key: str | None
    postings: Sequence[Move] = ()
    phase: str = "plain"
    hold: str | None = None
    timeout: int = 0
    linked: bool = False
    subject: str = "ord_1"
    event_type: str | None = "MANUAL_ADJUSTMENT"
    effective_at: datetime | None = None
    refs: Mapping[str, str] = field(default_factory=dict)
    refuse_locked: bool = False
    flags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Result:
    code: str
    transaction_id: UUID | None
    failed_position: int | None
    amounts: Sequence[int] | None = None


def plain(key: str, debit: str, credit: str, amount: object, **more: object) -> Item:
    return Item(key, [Move(debit, credit, amount)], **more)  # type: ignore[arg-type]  # fields of Item


def reserve(key: str, debit: str, credit: str, amount: object, **more: object) -> Item:
    return Item(key, [Move(debit, credit, amount)], phase="reserve", **more)  # type: ignore[arg-type]  # fields of Item


def settle(key: str, hold: str, *postings: Move, **more: object) -> Item:
    return Item(key, postings, phase="settle", hold=hold, **more)  # type: ignore[arg-type]  # fields of Item


def release(key: str, hold: str, **more: object) -> Item:
    return Item(key, phase="release", hold=hold, **more)  # type: ignore[arg-type]  # fields of Item


def arguments(items: Sequence[Item], *, book: int, now: datetime | None) -> list[object]:
    """Return the arguments of `ledger_post`."""
    objects = [
        {
            "key": item.key,
            "event_type": item.event_type,
            "phase": item.phase,
            "subject": item.subject,
            "refs": dict(item.refs),
            "metadata": {},
            "request_id": "",
            "effective_at": item.effective_at.isoformat() if item.effective_at else None,
            "timeout": item.timeout,
            "hold_key": item.hold,
            "linked": item.linked,
            "refuse_locked": item.refuse_locked,
            "flags": list(item.flags),
        }
        for item in items
    ]
    lines = [(n, move) for n, item in enumerate(items, start=1) for move in item.postings]
    return [
        book,
        json.dumps(objects),
        [n for n, _ in lines],
        [move.debit for _, move in lines],
        [move.credit for _, move in lines],
        [move.asset for _, move in lines],
        [str(move.amount) for _, move in lines],
        now,
    ]


CALL: Final = (
    "SELECT code, transaction_id, failed_position, amounts FROM ledger_post(%s::smallint, %s::jsonb, %s::integer[],"
    " %s::text[], %s::text[], %s::text[], %s::text[]::numeric[], %s::timestamptz) ORDER BY item"
)


def results(*items: Item, now: datetime | None = None, book: int | None = None) -> list[Result]:
    """Post a list and return a result per item."""
    number = test_book() if book is None else book
    with connection.cursor() as cursor:
        cursor.execute(CALL, arguments(items, book=number, now=now))  # type: ignore[arg-type]  # lists are arrays
        return [Result(*row) for row in cursor.fetchall()]


def codes(*items: Item, now: datetime | None = None) -> list[str]:
    """Post a list and return a code per item."""
    return [result.code for result in results(*items, now=now)]


def test_book() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM ledger_book WHERE environment = %s", [ENVIRONMENT])
        return int(cursor.fetchone()[0])


test_book.__test__ = False  # type: ignore[attr-defined]  # no test, whatever its name


def open_book(*addresses: str, kind: AccountKind = NEVER_OVERDRAWN, asset: str = "EUR") -> None:
    """Open `@world` and the addresses in the test book."""
    accounts.open_accounts(
        environment=ENVIRONMENT,
        openings=[Opening("@world", asset, FREE), *(Opening(address, asset, kind) for address in addresses)],
    )


def balance(address: str, asset: str = "EUR") -> tuple[int, int, int, int]:
    """Return debits posted, credits posted, debits pending, credits pending."""
    return balances_of([address], asset)[address]


def balances_of(addresses: Iterable[str], asset: str = "EUR") -> dict[str, tuple[int, int, int, int]]:
    """Return what `balance` does of each address, all as of one statement."""
    found = balances.read(environment=ENVIRONMENT, accounts=[(address, asset) for address in addresses])
    return {
        address: (one.debits_posted, one.credits_posted, one.debits_pending, one.credits_pending)
        for (address, _), one in found.items()
    }


def counts() -> dict[str, int]:
    """Return the number of rows in each table of the journal."""
    tables = ("ledger_key", "ledger_transaction", "ledger_posting", "ledger_hold", "ledger_delta")
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in tables))
        return dict(zip(tables, cursor.fetchone(), strict=True))
