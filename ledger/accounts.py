"""Accounts: their addresses, what each kind of address is, and how they are opened."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from ledger.books import number_of
from ledger.controls import clock
from ledger.models.journal import AccountClass, BalanceRule

WORLD = "@world"


@dataclass(frozen=True, slots=True)
class AccountKind:
    """The chart's entry for one kind of address."""

    account_class: AccountClass
    gl_code: str
    normal_side: str
    workflow_view: str
    balance_rule: BalanceRule


@dataclass(frozen=True, slots=True)
class Opening:
    address: str
    asset: str
    kind: AccountKind


_NONE = BalanceRule.NONE
_NEVER_OVERDRAWN = BalanceRule.DEBITS_MUST_NOT_EXCEED_CREDITS

OPERATOR_DUE = AccountKind(AccountClass.ASSET, "1100", "debit", "operators", _NONE)
TRANSIT = AccountKind(AccountClass.LIABILITY, "2900", "credit", "in_flight", _NONE)
FX = AccountKind(AccountClass.EQUITY, "3200", "credit", "fx", _NONE)
POOL = AccountKind(AccountClass.EQUITY, "3100", "credit", "pools", _NEVER_OVERDRAWN)
MAKER = AccountKind(AccountClass.EQUITY, "3000", "credit", "makers", _NEVER_OVERDRAWN)
POSITION = AccountKind(AccountClass.LIABILITY, "2100", "credit", "positions", _NEVER_OVERDRAWN)
REVENUE = AccountKind(AccountClass.INCOME, "4000", "credit", "revenue", _NONE)
VAT = AccountKind(AccountClass.LIABILITY, "2500", "credit", "taxes", _NONE)
OUTSIDE = AccountKind(AccountClass.EQUITY, "3900", "credit", "outside", _NONE)


def operator_due(operator: str) -> str:
    return f"operators:{operator}:due"


def order_transit(operator: str) -> str:
    return f"transit:orders:{operator}"


def fx(asset: str) -> str:
    return f"fx:{asset}"


def pool(code: str) -> str:
    return f"pools:{code}"


def maker(name: str) -> str:
    return f"makers:{name}"


def position(operator: str, user_part: str) -> str:
    return f"positions:{operator}:{user_part}"


ORDER_REVENUE = "revenue:orders"
VAT_PAYABLE = "liabilities:vat"


def open_accounts(*, environment: str, openings: Sequence[Opening]) -> None:
    """Open accounts in the environment's book. One that exists stays as it is. Takes no lock on existing rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_open_accounts(%s::smallint, %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],"
            " %s::text[], %s::text[], %s::timestamptz)",
            [
                number_of(environment),
                [o.address for o in openings],
                [o.asset for o in openings],
                [o.kind.account_class.value for o in openings],
                [o.kind.gl_code for o in openings],
                [o.kind.normal_side for o in openings],
                [o.kind.workflow_view for o in openings],
                [o.kind.balance_rule.value for o in openings],
                clock.parameter(),
            ],
        )
