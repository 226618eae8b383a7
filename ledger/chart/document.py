"""docs/event-types.md, made from the baseline: what each event type posts, and its parameters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ledger.chart import bundled
from ledger.chart.entries import ANY
from ledger.chart.mappings import Mapping, Role

PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "event-types.md"

_HEAD: Final = """# Event types

Made from the baseline by `manage.py chart document`; a test holds the two equal. No flow posts except through one of
these: a `ledger.drafts.Draft` names the event type, its amounts and its accounts (addresses, which `ledger.accounts`
builds from the chart).

- *Phase*: **plain** is posted at once; **reserve** becomes one hold, with the draft's timeout; **settle** ends a hold
  (`hold_key`) of the reserve type that it names: its sends are matched with the hold's pendings, one without a send is
  voided; **release** voids the hold, and needs neither amounts nor accounts.
- An amount marked * has to be given. Any other may be left out, and then posts nothing, as an amount of 0 does; the
  accounts of lines that post nothing may be left out too.
- Codes are GL codes of the chart below, or sub-codes of them (2004.1 is at 2004). `*` is any code.
- *else* names the account that stands in when this one is not given: a trade without `fx_wallet` and `fx_cash` needs no
  exchange, and its money goes straight between transit and pool. *with* names accounts that have to be given with it.
- In the templates, an account whose name is also an amount's ends in `_account`: `$vat` is sent to `$vat_account`, and
  the draft calls both `vat`.
- A *receivable* is a second source: what the account before it lacks is debited there, so that a fact from outside is
  never refused. Open it with the account; the book debits no account that it does not have.
"""


def written() -> str:
    """Return the whole document."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## The chart of accounts\n"
    yield "| GL code | name | class | side | view | address | balance rule |"
    yield "| -- | -- | -- | -- | -- | -- | -- |"
    for entry in bundled.chart().entries:
        rule = "" if entry.balance_rule == "none" else entry.balance_rule
        yield (
            f"| {entry.gl_code} | {entry.name} | {entry.account_class} | {entry.normal_side} | {entry.workflow_view}"
            f" | `{entry.address}` | {rule} |"
        )
    for mapping in bundled.gl_mappings().values():
        yield ""
        yield from _event_type(mapping)


def _event_type(mapping: Mapping) -> Iterator[str]:
    yield f"## {mapping.event_type}\n"
    ends = f", ends a hold of {mapping.ends}" if mapping.ends else ""
    main = f"debit {_code(mapping.debit)}, credit {_code(mapping.credit)}"
    looks = "" if bundled.is_balance_free(mapping.event_type) else " Looks at balances."
    yield f"{mapping.about}\n"
    yield f"*{mapping.phase}{ends}*; main pair: {main}.{looks}\n"
    yield "| amount | debit | credit | what it is |"
    yield "| -- | -- | -- | -- |"
    for name, line in mapping.lines.items():
        star = " *" if line.required else ""
        needs = f"; with {' and '.join(f'`{account}`' for account in line.needs)}" if line.needs else ""
        yield f"| `{name}`{star} | {_codes(line.debit)} | {_codes(line.credit)} | {line.about}{needs} |"
    yield ""
    yield "Accounts: " + ", ".join(_role(name, role) for name, role in mapping.accounts.items()) + "."


def _role(name: str, role: Role) -> str:
    otherwise = f", else `{role.otherwise}`" if role.otherwise else ""
    return f"`{name}` ({_codes(role.codes)}{otherwise})"


def _codes(codes: tuple[str, ...]) -> str:
    return " ".join(_code(code) for code in codes)


def _code(code: str) -> str:
    return "any" if code == ANY else code
