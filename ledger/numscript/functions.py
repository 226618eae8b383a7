"""The functions that expressions may call: balance, overdraft, get_asset, get_amount; meta() is a variable's origin."""

from collections.abc import Callable, Sequence
from typing import cast

from ledger.numscript import syntax
from ledger.numscript.errors import NegativeBalance, Position, SyntaxRefused, TypeMismatch, UnknownName
from ledger.numscript.features import Feature
from ledger.numscript.run import Run
from ledger.numscript.scope import Compiled, Scope, TextCode, expect
from ledger.numscript.values import Kind, Monetary

SET_TRANSACTION_METADATA = "set_tx_meta"
SET_ACCOUNT_METADATA = "set_account_meta"
META = "meta"

_PARAMETERS = {
    "balance": (Kind.ACCOUNT, Kind.ASSET),
    "overdraft": (Kind.ACCOUNT, Kind.ASSET),
    "get_asset": (Kind.MONETARY,),
    "get_amount": (Kind.MONETARY,),
    META: (Kind.ACCOUNT, Kind.STRING),
}


def call(node: syntax.Call, arguments: Sequence[Compiled], scope: Scope) -> Compiled:
    """Compile a call whose arguments are compiled."""
    if node.function == META:
        raise SyntaxRefused("meta() stands only as the whole origin of a variable.", node.at)
    if node.function not in _PARAMETERS:
        raise UnknownName(f"There is no function {node.function}() that gives a value.", node.at)
    check_arguments(node, arguments, _PARAMETERS[node.function])
    return _FUNCTIONS[node.function](node.at, arguments, scope)


def check_meta(node: syntax.Call, arguments: Sequence[Compiled]) -> None:
    check_arguments(node, arguments, _PARAMETERS[META])


def check_arguments(node: syntax.Call, arguments: Sequence[Compiled], kinds: Sequence[Kind | None]) -> None:
    """Check number and types; the kind None is any."""
    if len(arguments) != len(kinds):
        raise TypeMismatch(f"{node.function}() takes {len(kinds)} arguments; there are {len(arguments)}.", node.at)
    for argument, kind in zip(arguments, kinds, strict=True):
        if kind is not None:
            expect(argument, kind)


def _balance(at: Position, arguments: Sequence[Compiled], scope: Scope) -> Compiled:
    address, asset = _account_and_asset(arguments, scope)

    def code(run: Run) -> Monetary:
        account, code = address(run), asset(run)
        held = run.balance(account, code)
        if held < 0:
            raise NegativeBalance(f"The balance of @{account} is negative: [{code} {held}].", at)
        return Monetary(code, held)

    return Compiled(at, Kind.MONETARY, code)


def _overdraft(at: Position, arguments: Sequence[Compiled], scope: Scope) -> Compiled:
    scope.require(Feature.OVERDRAFT_FUNCTION, at)
    address, asset = _account_and_asset(arguments, scope)

    def code(run: Run) -> Monetary:
        code = asset(run)
        return Monetary(code, max(0, -run.balance(address(run), code)))

    return Compiled(at, Kind.MONETARY, code)


def _account_and_asset(arguments: Sequence[Compiled], scope: Scope) -> tuple[TextCode, TextCode]:
    address, asset = cast(TextCode, arguments[0].code), cast(TextCode, arguments[1].code)
    scope.needs.append((address, asset))
    return address, asset


def _get_asset(at: Position, arguments: Sequence[Compiled], scope: Scope) -> Compiled:
    scope.require(Feature.GET_ASSET, at)
    money = cast(Callable[[Run], Monetary], arguments[0].code)
    return Compiled(at, Kind.ASSET, lambda run: money(run).asset)


def _get_amount(at: Position, arguments: Sequence[Compiled], scope: Scope) -> Compiled:
    scope.require(Feature.GET_AMOUNT, at)
    money = cast(Callable[[Run], Monetary], arguments[0].code)
    return Compiled(at, Kind.NUMBER, lambda run: money(run).amount)


_FUNCTIONS = {"balance": _balance, "overdraft": _overdraft, "get_asset": _get_asset, "get_amount": _get_amount}
