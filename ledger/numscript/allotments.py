"""Splits: an amount shared by portions, exactly. What division leaves over goes one by one to the first shares."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import lcm
from typing import cast

from ledger.numscript import syntax
from ledger.numscript.errors import AllotmentInvalid, LimitExceeded, Position
from ledger.numscript.expressions import compiled
from ledger.numscript.limits import MAXIMUM_DENOMINATOR_BITS
from ledger.numscript.run import Run
from ledger.numscript.scope import Compiled, Scope, expect
from ledger.numscript.values import Kind

Split = Callable[[Run, int], list[int]]


def split(portions: Sequence[syntax.Expression | None], at: Position, scope: Scope) -> Split:
    """Compile a split; the portion None is what remains. Portions that are known are checked at once."""
    shares = [expect(compiled(node, scope), Kind.PORTION) if node is not None else None for node in portions]
    if all(share is None or share.constant is not None for share in shares):
        known = _weights([None if share is None else cast(Fraction, share.constant) for share in shares], shares, at)
        return lambda run, amount: shared(amount, known)

    def code(run: Run, amount: int) -> list[int]:
        values = [None if share is None else cast(Fraction, share.code(run)) for share in shares]
        return shared(amount, _weights(values, shares, at))

    return code


def shared(amount: int, weights: Sequence[int]) -> list[int]:
    """Share an amount of 0 or more by weights, none negative and not all 0. The parts sum to it exactly."""
    whole = sum(weights)
    parts = [amount * weight // whole for weight in weights]
    for index in range(amount - sum(parts)):
        parts[index] += 1
    return parts


def _weights(portions: Sequence[Fraction | None], shares: Sequence[Compiled | None], at: Position) -> list[int]:
    """Return the portions over their common denominator, with what remains filled in.

    Raises AllotmentInvalid unless they make exactly a whole.
    """
    whole = 1
    for portion, share in zip(portions, shares, strict=True):
        if portion is None or share is None:
            continue
        numerator, denominator = portion.numerator, portion.denominator
        if not 0 <= numerator <= denominator:
            raise AllotmentInvalid(f"A portion is between 0 and 1; this is {portion}.", share.at)
        whole = lcm(whole, denominator)
        if whole.bit_length() > MAXIMUM_DENOMINATOR_BITS:
            raise LimitExceeded("These portions have no common denominator of a bearable size.", share.at)
    weights = [0 if portion is None else portion.numerator * (whole // portion.denominator) for portion in portions]
    rest = whole - sum(weights)
    if rest < 0 or (rest and None not in portions):
        raise AllotmentInvalid(f"The portions sum to {Fraction(whole - rest, whole)}; they have to make 1.", at)
    return [rest if portion is None else weight for portion, weight in zip(portions, weights, strict=True)]
