"""Splits: an amount shared by portions, exactly. What division leaves over goes one by one to the first shares."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import cast

from ledger.numscript import syntax
from ledger.numscript.errors import AllotmentInvalid, LimitExceeded, Position
from ledger.numscript.expressions import compiled
from ledger.numscript.limits import MAXIMUM_DENOMINATOR_BITS
from ledger.numscript.run import Run
from ledger.numscript.scope import Compiled, Scope, expect
from ledger.numscript.values import Kind

Split = Callable[[Run, int], list[int]]

_NOTHING = Fraction(0)
_WHOLE = Fraction(1)


def split(portions: Sequence[syntax.Expression | None], at: Position, scope: Scope) -> Split:
    """Compile a split; the portion None is what remains. Portions that are known are checked at once."""
    shares = [expect(compiled(node, scope), Kind.PORTION) if node is not None else None for node in portions]
    if all(share is None or share.constant is not None for share in shares):
        known = _whole([None if share is None else cast(Fraction, share.constant) for share in shares], shares, at)
        return lambda run, amount: shared(amount, known)

    def code(run: Run, amount: int) -> list[int]:
        values = [None if share is None else cast(Fraction, share.code(run)) for share in shares]
        return shared(amount, _whole(values, shares, at))

    return code


def shared(amount: int, portions: Sequence[Fraction]) -> list[int]:
    """Share an amount of 0 or more by portions that make a whole. The parts sum to it exactly."""
    parts = [amount * portion.numerator // portion.denominator for portion in portions]
    for index in range(amount - sum(parts)):
        parts[index] += 1
    return parts


def _whole(portions: Sequence[Fraction | None], shares: Sequence[Compiled | None], at: Position) -> list[Fraction]:
    """Return the portions with what remains filled in. Raises AllotmentInvalid unless they make exactly a whole."""
    total = _NOTHING
    for portion, share in zip(portions, shares, strict=True):
        if portion is None or share is None:
            continue
        if not _NOTHING <= portion <= _WHOLE:
            raise AllotmentInvalid(f"A portion is between 0 and 1; this is {portion}.", share.at)
        total += portion
        if total.denominator.bit_length() > MAXIMUM_DENOMINATOR_BITS:
            raise LimitExceeded("These portions have no common denominator of a bearable size.", share.at)
    if total > _WHOLE or (total != _WHOLE and None not in portions):
        raise AllotmentInvalid(f"The portions sum to {total}; they have to make 1.", at)
    return [_WHOLE - total if portion is None else portion for portion in portions]
