"""What kind of account each address is: what the book's active chart says."""

from ledger.accounts import AccountKind
from ledger.chart import stored
from ledger.chart.entries import LONGEST_ADDRESS
from ledger.controls.refusals import Refusal
from ledger.models.journal import AccountClass, BalanceRule


class NoAccountKind(Refusal):
    """The chart has no place for this address."""

    code = "no_account_kind"


def kind_of(environment: str, address: str) -> AccountKind:
    """Return what an account of this address is. Raises NoAccountKind."""
    entry = stored.active_chart(environment).entry_of(address)
    if entry is None or len(address) > LONGEST_ADDRESS or not address.isascii():
        raise NoAccountKind(f"The chart has no place for the address {address[:LONGEST_ADDRESS]!r}.")
    return AccountKind(
        AccountClass(entry.account_class),
        entry.gl_code,
        entry.normal_side,
        entry.workflow_view,
        BalanceRule(entry.balance_rule),
    )
