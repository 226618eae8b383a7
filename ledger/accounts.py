"""Accounts: their addresses, what each kind of address is, and how they are opened."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from ledger.books import number_of
from ledger.chart import bundled, stored
from ledger.chart.entries import Chart, Entry, is_at
from ledger.controls import clock
from ledger.models.journal import AccountClass, BalanceRule

WORLD = bundled.chart().address("3900")


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


def kind(code: str) -> AccountKind:
    """Return what the chart says about accounts of a GL code. Raises UnknownCode."""
    return _kind_of(bundled.chart().entry(code))


def _kind_of(entry: Entry) -> AccountKind:
    return AccountKind(
        AccountClass(entry.account_class),
        entry.gl_code,
        entry.normal_side,
        entry.workflow_view,
        BalanceRule(entry.balance_rule),
    )


BANK = kind("1000")
OPERATOR_DUE = kind("1100")
VENUE_CLEARING = kind("1200")
MERCHANT_RECEIVABLE = kind("1304")
USER_RECEIVABLE = kind("1305")
POSITION_RECEIVABLE = kind("1310")
POOL_RECEIVABLE = kind("1320")
MERCHANT = kind("2004")
USER = kind("2005")
POSITION = kind("2100")
VAT = kind("2500")
TRANSIT = kind("2900")
TRANSFER_TRANSIT_KIND = kind("2910")
MAKER = kind("3000")
POOL = kind("3100")
FX = kind("3200")
OUTSIDE = kind("3900")
REVENUE = kind("4000")
PAYIN_REVENUE_KIND = kind("4010")
PAYOUT_REVENUE_KIND = kind("4020")
TRANSFER_REVENUE_KIND = kind("4030")
FX_RESULT_KIND = kind("4900")


def bank(code: str) -> str:
    return bundled.chart().address("1000", bank=code)


def operator_due(operator: str) -> str:
    return bundled.chart().address("1100", operator=operator)


def venue_clearing(venue: str) -> str:
    return bundled.chart().address("1200", venue=venue)


def merchant(merchant: str) -> str:
    return bundled.chart().address("2004", merchant=merchant)


def merchant_receivable(merchant: str) -> str:
    return bundled.chart().address("1304", merchant=merchant)


def user(user: str) -> str:
    return bundled.chart().address("2005", user=user)


def user_receivable(user: str) -> str:
    return bundled.chart().address("1305", user=user)


def order_transit(operator: str) -> str:
    return bundled.chart().address("2900", operator=operator)


def fx(asset: str) -> str:
    return bundled.chart().address("3200", asset=asset)


def pool(code: str) -> str:
    return bundled.chart().address("3100", pool=code)


def pool_receivable(code: str) -> str:
    return bundled.chart().address("1320", pool=code)


def maker(maker: str) -> str:
    return bundled.chart().address("3000", maker=maker)


def position(operator: str, user_part: str) -> str:
    return bundled.chart().address("2100", operator=operator, user=user_part)


def position_receivable(operator: str, user_part: str) -> str:
    return bundled.chart().address("1310", operator=operator, user=user_part)


ORDER_REVENUE = bundled.chart().address("4000")
PAYIN_REVENUE = bundled.chart().address("4010")
PAYOUT_REVENUE = bundled.chart().address("4020")
TRANSFER_REVENUE = bundled.chart().address("4030")
FX_RESULT = bundled.chart().address("4900")
VAT_PAYABLE = bundled.chart().address("2500")
TRANSFER_TRANSIT = bundled.chart().address("2910")


def open_accounts(*, environment: str, openings: Sequence[Opening]) -> None:
    """Open accounts in the environment's book. One that exists stays as it is. Takes no lock on existing rows.

    What an account is, the book's active chart says: a granular one may give it a sub-code and a view of its own.
    """
    chart = stored.active_chart(environment)
    kinds = [_charted(chart, opening) for opening in openings]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_open_accounts(%s::smallint, %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],"
            " %s::text[], %s::text[], %s::timestamptz)",
            [
                number_of(environment),
                [o.address for o in openings],
                [o.asset for o in openings],
                [kind.account_class.value for kind in kinds],
                [kind.gl_code for kind in kinds],
                [kind.normal_side for kind in kinds],
                [kind.workflow_view for kind in kinds],
                [kind.balance_rule.value for kind in kinds],
                clock.parameter(),
            ],
        )


def _charted(chart: Chart, opening: Opening) -> AccountKind:
    """Return what the chart says, where it has the address at the opening's code or at a sub-code of it."""
    entry = chart.entry_of(opening.address)
    return _kind_of(entry) if entry is not None and is_at(entry.gl_code, [opening.kind.gl_code]) else opening.kind
