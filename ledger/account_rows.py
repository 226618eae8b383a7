"""Accounts with their balances, in pages by address, or all assets of one address. One statement each."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from ledger.balances import Balance
from ledger.books import number_of
from ledger.controls.rest.pages import MalformedCursor

_SELECT: Final = """
SELECT b.address, b.asset, b.normal_side, b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending,
       a.id, a.account_class, a.gl_code, a.workflow_view, a.balance_rule, a.opened_at
FROM ledger_account a JOIN ledger_balance b ON b.account_id = a.id
"""
_PAGE: Final = f"""{_SELECT}
WHERE a.book_id = %(book)s AND (a.address, a.asset) > (%(address)s, %(after_asset)s)
  AND (%(asset)s = '' OR a.asset = %(asset)s) AND (%(gl_code)s = '' OR a.gl_code = %(gl_code)s)
ORDER BY a.address, a.asset LIMIT %(limit)s
"""
_OF_ADDRESS: Final = f"{_SELECT} WHERE a.book_id = %s AND a.address = %s ORDER BY a.asset LIMIT 1000"


@dataclass(frozen=True, slots=True)
class AccountRow:
    """What an account is, and its four balances as of one statement."""

    balance: Balance
    account_id: int
    account_class: str
    gl_code: str
    workflow_view: str
    balance_rule: str
    opened_at: datetime


def page(
    *, environment: str, asset: str = "", gl_code: str = "", after: str = "", limit: int = 50
) -> tuple[list[AccountRow], str | None]:
    """Return a page of the book's accounts by address and asset, and the cursor of the next. Raises MalformedCursor."""
    address, after_asset = _place(after) if after else ("", "")
    with connection.cursor() as cursor:
        cursor.execute(
            _PAGE,
            {
                "book": number_of(environment),
                "address": address,
                "after_asset": after_asset,
                "asset": asset,
                "gl_code": gl_code,
                "limit": limit + 1,
            },
        )
        rows = [_row(row) for row in cursor.fetchall()]
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1].balance
    return rows[:limit], _cursor(last.address, last.asset)


def of_address(*, environment: str, address: str) -> list[AccountRow]:
    """Return the accounts under one address, one per asset; none when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_ADDRESS, [number_of(environment), address])
        return [_row(row) for row in cursor.fetchall()]


def _row(row: Sequence[object]) -> AccountRow:
    address, asset, side, dp, cp, dq, cq, *rest = row
    balance = Balance(str(address), str(asset), str(side), *(int(str(value)) for value in (dp, cp, dq, cq)))
    return AccountRow(balance, *rest)  # type: ignore[arg-type]  # a row


def _cursor(address: str, asset: str) -> str:
    return base64.urlsafe_b64encode(f"{address}\n{asset}".encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        text = ""
    address, found, asset = text.partition("\n")
    if not found or "\x00" in text or _cursor(address, asset) != cursor:
        raise MalformedCursor(errors={"after": ["This is not a cursor of this list."]})
    return address, asset
