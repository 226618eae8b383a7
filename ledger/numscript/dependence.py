"""Whether a script's postings can depend on a balance or on stored metadata, or only on its variables."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from ledger.numscript import syntax
from ledger.numscript.functions import META

_LOOKS = frozenset({"balance", "overdraft", META})


def is_balance_free(script: syntax.Script) -> bool:
    """Say whether every execution is fixed by the variables alone.

    A single plain account counts as fixed: it gives the whole amount or the execution fails, and the book itself
    decides which when it posts. An account that may give a part does not.
    """
    if any(isinstance(part, syntax.Call) and part.function in _LOOKS for part in _parts(script)):
        return False
    for statement in script.statements:
        if isinstance(statement, syntax.Save):
            return False
        if isinstance(statement, syntax.Send) and (
            isinstance(statement.amount, syntax.AllOf) or not _all_or_nothing(statement.source)
        ):
            return False
    return True


def _all_or_nothing(source: syntax.Source) -> bool:
    """The same funds from the same accounts for whatever balances, or a failure."""
    match source:
        case syntax.AccountSource(color=color, overdraft=bound):
            return _endless(source) or (color is None and bound is None)
        case syntax.CappedSource(source=inner):
            return _all_or_nothing(inner)
        case syntax.InOrderSource(sources=sources):
            return all(_certain(each) for each in sources[:-1]) and all(_all_or_nothing(each) for each in sources[-1:])
        case syntax.AllottedSource(sources=sources):
            return all(_all_or_nothing(each) for each in sources)
        case syntax.OneOfSource(sources=sources):
            return _endless(sources[0])
        case syntax.ScaledSource():
            return False


def _certain(source: syntax.Source) -> bool:
    """The same part of an amount for whatever balances."""
    match source:
        case syntax.CappedSource(source=inner):
            return _certain(inner)
        case syntax.InOrderSource(sources=sources):
            return all(_certain(each) for each in sources)
        case syntax.AllottedSource():
            return _all_or_nothing(source)
        case _:
            return _endless(source)


def _endless(source: syntax.Source) -> bool:
    """Gives every amount it is asked for."""
    match source:
        case syntax.AccountSource(address=address, unbounded=unbounded):
            return unbounded or (isinstance(address, syntax.AccountLiteral) and address.segments == ("world",))
        case syntax.OneOfSource(sources=sources):
            return _endless(sources[0])
        case _:
            return False


def _parts(node: object) -> Iterator[object]:
    """Go through a syntax tree, without recursion."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting.extend(part)
        elif is_dataclass(part):
            yield part
            waiting.extend(getattr(part, field.name) for field in fields(part))
