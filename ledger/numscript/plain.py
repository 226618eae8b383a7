"""Scripts that do nothing but send given amounts from given accounts to given accounts, as most templates do.

What such a script posts, without a limit on its sources, can be said from its variables without executing it.
"""

from typing import NamedTuple

from ledger.numscript import syntax
from ledger.numscript.values import Kind

_KINDS = frozenset({Kind.ACCOUNT.value, Kind.MONETARY.value})


class PlainSend(NamedTuple):
    """One send, by the names of its variables."""

    amount: str
    source: str
    destination: str


def plain_sends(script: syntax.Script) -> tuple[PlainSend, ...] | None:
    """Return the sends in order; None where anything else is declared or done. The script has been checked."""
    if any(node.origin is not None or node.type_name not in _KINDS for node in script.declarations):
        return None
    sends = [_plain(node) for node in script.statements]
    found = tuple(send for send in sends if send is not None)
    return found if len(found) == len(sends) else None


def _plain(node: syntax.Statement) -> PlainSend | None:
    match node:
        case syntax.Send(
            amount=syntax.VariableName(name=amount),
            source=syntax.AccountSource(address=syntax.VariableName(name=source), color=None, overdraft=None),
            destination=syntax.AccountDestination(address=syntax.VariableName(name=destination)),
        ):
            return PlainSend(amount, source, destination)
        case _:
            return None
