"""What kind of account each address is: the patterns of the chart, first match wins."""

import re
from typing import Final

from ledger import accounts
from ledger.accounts import AccountKind
from ledger.controls.refusals import Refusal
from ledger.models.journal import AccountClass, BalanceRule

_NONE = BalanceRule.NONE
_NEVER_OVERDRAWN = BalanceRule.DEBITS_MUST_NOT_EXCEED_CREDITS

BANK: Final = AccountKind(AccountClass.ASSET, "1000", "debit", "bank", _NONE)
VENUE_CLEARING: Final = AccountKind(AccountClass.ASSET, "1200", "debit", "venues", _NONE)
RECEIVABLE: Final = AccountKind(AccountClass.ASSET, "1300", "debit", "receivables", _NONE)
MERCHANT: Final = AccountKind(AccountClass.LIABILITY, "2004", "credit", "wallets", _NEVER_OVERDRAWN)
USER: Final = AccountKind(AccountClass.LIABILITY, "2005", "credit", "wallets", _NEVER_OVERDRAWN)

_NAME = r"[A-Za-z0-9_.@-]+"
_KINDS: Final = tuple(
    (re.compile(pattern.replace("NAME", _NAME), re.ASCII), kind)
    for pattern, kind in (
        (r"@world", accounts.OUTSIDE),
        (r"bank:NAME", BANK),
        (r"operators:NAME:due", accounts.OPERATOR_DUE),
        (r"venues:NAME:clearing", VENUE_CLEARING),
        (r"transit:orders:NAME", accounts.TRANSIT),
        (r"transit:transfers", accounts.TRANSIT),
        (r"fx:NAME", accounts.FX),
        (r"revenue(:NAME)+", accounts.REVENUE),
        (r"liabilities:vat", accounts.VAT),
        (r"(merchants|users):NAME:receivable", RECEIVABLE),
        (r"merchants:NAME:available", MERCHANT),
        (r"users:NAME:available", USER),
        (r"positions:NAME:NAME", accounts.POSITION),
        (r"pools:NAME", accounts.POOL),
    )
)
_LONGEST: Final = 255


class NoAccountKind(Refusal):
    """The chart has no place for this address."""

    code = "no_account_kind"


def kind_of(address: str) -> AccountKind:
    """Return what an account of this address is. Raises NoAccountKind."""
    if len(address) <= _LONGEST:
        for pattern, kind in _KINDS:
            if pattern.fullmatch(address):
                return kind
    raise NoAccountKind(f"The chart has no place for the address {address[:_LONGEST]!r}.")
