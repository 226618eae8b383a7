"""Variables: given from outside, or made by their origin."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from ledger.numscript import expressions, functions, syntax
from ledger.numscript.errors import MetadataMissing, SyntaxRefused, UnknownName, VariableInvalid
from ledger.numscript.run import Run
from ledger.numscript.scope import Scope, TextCode, expect
from ledger.numscript.values import Given, Kind, Value, reader

_KINDS = frozenset(kind.value for kind in Kind)

Filling = Callable[[Run, Mapping[str, Given]], Value]


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable. `origin` is the name of the function that makes it, “expression”, or None when given."""

    name: str
    kind: Kind
    origin: str | None


def compiled(node: syntax.Declaration, scope: Scope) -> tuple[Variable, Filling]:
    """Check and compile a declaration, and make the variable known to what follows."""
    if node.type_name not in _KINDS:
        known = ", ".join(Kind)
        raise UnknownName(f"There is no type {node.type_name}; there are {known}.", node.at)
    if node.name in scope.variables:
        raise SyntaxRefused(f"${node.name} is declared twice.", node.at)
    kind = Kind(node.type_name)
    filling = _given(node, kind) if node.origin is None else _made(node.origin, kind, scope)
    scope.variables[node.name] = (len(scope.variables), kind)
    return Variable(node.name, kind, _origin_name(node.origin)), filling


def _origin_name(origin: syntax.Expression | None) -> str | None:
    if origin is None:
        return None
    return origin.function if isinstance(origin, syntax.Call) else "expression"


def _given(node: syntax.Declaration, kind: Kind) -> Filling:
    name, at = node.name, node.at
    read = reader(kind, name=name, at=at)

    def fill(run: Run, given: Mapping[str, Given]) -> Value:
        try:
            value = given[name]
        except KeyError:
            raise VariableInvalid(f"The variable ${name} is missing.", at) from None
        return read(value)

    return fill


def _made(origin: syntax.Expression, kind: Kind, scope: Scope) -> Filling:
    if not isinstance(origin, syntax.Call):
        code = expect(expressions.compiled(origin, scope), kind).code
        return lambda run, given: code(run)
    if origin.function == functions.META:
        return _from_metadata(origin, kind, scope)
    made = expect(expressions.called(origin, scope), kind).code
    return lambda run, given: made(run)


def _from_metadata(node: syntax.Call, kind: Kind, scope: Scope) -> Filling:
    arguments = [expressions.compiled(argument, scope) for argument in node.arguments]
    functions.check_meta(node, arguments)
    account, key = (cast(TextCode, argument.code) for argument in arguments)
    at = node.at

    def fill(run: Run, given: Mapping[str, Given]) -> Value:
        address, name = account(run), key(run)
        stored = run.metadata.get(address, {}).get(name)
        if stored is None:
            raise MetadataMissing(f"@{address} has no metadata “{name}”.", at)
        return reader(kind, name=f"{address}[{name}]", at=at)(stored)

    return fill
