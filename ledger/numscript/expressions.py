"""Expressions: checked for their types, and made into functions of a run."""

from collections.abc import Callable
from fractions import Fraction
from operator import itemgetter
from typing import assert_never, cast

from ledger.numscript import functions, syntax
from ledger.numscript.errors import (
    AssetMismatch,
    DivisionByZero,
    Position,
    TypeMismatch,
    VariableInvalid,
)
from ledger.numscript.features import Feature
from ledger.numscript.run import Run
from ledger.numscript.scope import AmountCode, Code, Compiled, Scope, TextCode, expect
from ledger.numscript.values import Kind, Monetary, Value, is_address_of_segments, text

MonetaryCode = Callable[[Run], Monetary]


def account(node: syntax.Expression, scope: Scope) -> TextCode:
    return cast(TextCode, expect(compiled(node, scope), Kind.ACCOUNT).code)


def asset(node: syntax.Expression, scope: Scope) -> TextCode:
    return cast(TextCode, expect(compiled(node, scope), Kind.ASSET).code)


def string(node: syntax.Expression, scope: Scope) -> TextCode:
    return cast(TextCode, expect(compiled(node, scope), Kind.STRING).code)


def number(node: syntax.Expression, scope: Scope) -> AmountCode:
    return cast(AmountCode, expect(compiled(node, scope), Kind.NUMBER).code)


def monetary(node: syntax.Expression, scope: Scope) -> MonetaryCode:
    return cast(MonetaryCode, expect(compiled(node, scope), Kind.MONETARY).code)


def amount_in_asset_of_send(node: syntax.Expression, scope: Scope) -> AmountCode:
    """A cap or a bound: an amount that has to be of the asset that is being sent. It may be negative."""
    money = monetary(node, scope)
    at = node.at

    def code(run: Run) -> int:
        code, amount = money(run)
        if code != run.asset:
            raise AssetMismatch(f"This is an amount of {code}, but {run.asset} is being sent.", at)
        return amount

    return code


def compiled(node: syntax.Expression, scope: Scope) -> Compiled:
    """Check an expression and compile it. Raises a NumscriptError that names its place."""
    match node:
        case syntax.VariableName(at, name):
            index, kind = scope.variable(name, at)
            return Compiled(at, kind, cast(Code, itemgetter(index)))
        case syntax.AssetLiteral(at, code):
            return _constant(at, Kind.ASSET, code)
        case syntax.NumberLiteral(at, value):
            return _constant(at, Kind.NUMBER, value)
        case syntax.PortionLiteral(at, portion):
            return _constant(at, Kind.PORTION, portion)
        case syntax.StringLiteral(at, value):
            return _constant(at, Kind.STRING, value)
        case syntax.AccountLiteral():
            return _account_literal(node, scope)
        case syntax.MonetaryLiteral():
            return _monetary_literal(node, scope)
        case syntax.Negation():
            return _negation(node, scope)
        case syntax.Infix():
            return _infix(node, scope)
        case syntax.Call():
            scope.require(Feature.MID_SCRIPT_CALL, node.at)
            return called(node, scope)
        case _:
            assert_never(node)


def called(node: syntax.Call, scope: Scope) -> Compiled:
    """Compile a function's call, wherever it stands."""
    arguments = [compiled(argument, scope) for argument in node.arguments]
    return functions.call(node, arguments, scope)


def _constant(at: Position, kind: Kind, value: Value) -> Compiled:
    return Compiled(at, kind, lambda run: value, value)


def _account_literal(node: syntax.AccountLiteral, scope: Scope) -> Compiled:
    if all(isinstance(segment, str) for segment in node.segments):
        return _constant(node.at, Kind.ACCOUNT, ":".join(str(segment) for segment in node.segments))
    scope.require(Feature.ACCOUNT_INTERPOLATION, node.at)
    parts: list[Code] = []
    for segment in node.segments:
        parts.append(_fixed(segment) if isinstance(segment, str) else _interpolated(segment, scope))
    at = node.at

    def code(run: Run) -> str:
        return ":".join([part(run) for part in parts])  # type: ignore[misc]  # each part is made a text below

    return Compiled(at, Kind.ACCOUNT, code)


def _fixed(segment: str) -> Code:
    return lambda run: segment


def _interpolated(node: syntax.VariableName, scope: Scope) -> Code:
    """An account stands as it is; a text has to be what the language could have written in its place."""
    variable = compiled(node, scope)
    if variable.kind is Kind.ACCOUNT:
        return variable.code
    if variable.kind not in (Kind.NUMBER, Kind.STRING):
        raise TypeMismatch(f"A value of type {variable.kind} cannot be part of an account.", node.at)
    value = variable.code

    def code(run: Run) -> str:
        segment = text(value(run))
        if not is_address_of_segments(segment):
            raise VariableInvalid(f"{segment[:80]!r} cannot be part of an account.", node.at)
        return segment

    return code


def _monetary_literal(node: syntax.MonetaryLiteral, scope: Scope) -> Compiled:
    code = expect(compiled(node.asset, scope), Kind.ASSET)
    amount = expect(compiled(node.amount, scope), Kind.NUMBER)
    if code.constant is not None and amount.constant is not None:
        return _constant(node.at, Kind.MONETARY, Monetary(cast(str, code.constant), cast(int, amount.constant)))
    asset_of, amount_of = cast(TextCode, code.code), cast(AmountCode, amount.code)
    return Compiled(node.at, Kind.MONETARY, lambda run: Monetary(asset_of(run), amount_of(run)))


def _negation(node: syntax.Negation, scope: Scope) -> Compiled:
    operand = compiled(node.operand, scope)
    if operand.kind is Kind.NUMBER:
        if operand.constant is not None:
            return _constant(node.at, Kind.NUMBER, -cast(int, operand.constant))
        value = cast(AmountCode, operand.code)
        return Compiled(node.at, Kind.NUMBER, lambda run: -value(run))
    if operand.kind is Kind.MONETARY:
        money = cast(MonetaryCode, operand.code)

        def code(run: Run) -> Monetary:
            asset_of, amount = money(run)
            return Monetary(asset_of, -amount)

        return Compiled(node.at, Kind.MONETARY, code)
    raise TypeMismatch(f"A sign stands before a number or a monetary, not a value of type {operand.kind}.", node.at)


def _infix(node: syntax.Infix, scope: Scope) -> Compiled:
    left = compiled(node.left, scope)
    right = compiled(node.right, scope)
    if node.operator == "/":
        return _division(node, expect(left, Kind.NUMBER), expect(right, Kind.NUMBER))
    if left.kind is Kind.NUMBER:
        return _sum_of_numbers(node, left, expect(right, Kind.NUMBER))
    if left.kind is Kind.MONETARY:
        return _sum_of_monetaries(node, left, expect(right, Kind.MONETARY))
    raise TypeMismatch(f"“{node.operator}” joins numbers or monetaries; the left side is of type {left.kind}.", left.at)


def _division(node: syntax.Infix, left: Compiled, right: Compiled) -> Compiled:
    over, under = cast(AmountCode, left.code), cast(AmountCode, right.code)
    at = node.at

    def code(run: Run) -> Fraction:
        numerator, denominator = over(run), under(run)
        if denominator == 0:
            raise DivisionByZero(f"{numerator}/0 is not a portion.", right.at)
        return Fraction(numerator, denominator)

    if left.constant is not None and right.constant not in (None, 0):
        return _constant(at, Kind.PORTION, Fraction(cast(int, left.constant), cast(int, right.constant)))
    if right.constant == 0:
        raise DivisionByZero("Nothing can be divided by 0.", right.at)
    return Compiled(at, Kind.PORTION, code)


def _sum_of_numbers(node: syntax.Infix, left: Compiled, right: Compiled) -> Compiled:
    first, second = cast(AmountCode, left.code), cast(AmountCode, right.code)
    if node.operator == "+":
        return Compiled(node.at, Kind.NUMBER, lambda run: first(run) + second(run))
    return Compiled(node.at, Kind.NUMBER, lambda run: first(run) - second(run))


def _sum_of_monetaries(node: syntax.Infix, left: Compiled, right: Compiled) -> Compiled:
    first, second = cast(MonetaryCode, left.code), cast(MonetaryCode, right.code)
    sign = 1 if node.operator == "+" else -1
    at = right.at

    def code(run: Run) -> Monetary:
        one, two = first(run), second(run)
        if one.asset != two.asset:
            raise AssetMismatch(f"{one.asset} and {two.asset} cannot be put together.", at)
        return Monetary(one.asset, one.amount + sign * two.amount)

    return Compiled(node.at, Kind.MONETARY, code)
