"""What is known while a script is compiled: its variables so far, its features, and what it will ask for."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ledger.numscript.errors import FeatureNotEnabled, Position, TypeMismatch, UnknownName
from ledger.numscript.features import Feature
from ledger.numscript.run import Run
from ledger.numscript.values import Kind, Value

Code = Callable[[Run], Value]
TextCode = Callable[[Run], str]
AmountCode = Callable[[Run], int]


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression: its type, the function that evaluates it, and its value where that is known beforehand."""

    at: Position
    kind: Kind
    code: Code
    constant: Value | None = None


@dataclass(slots=True)
class Scope:
    enabled: frozenset[Feature]
    variables: dict[str, tuple[int, Kind]] = field(default_factory=dict)
    """Position and type of each variable declared so far."""
    needs: list[tuple[TextCode, TextCode]] = field(default_factory=list)
    """The addresses and assets whose balances an execution may ask for."""

    def require(self, feature: Feature, at: Position) -> None:
        if feature not in self.enabled:
            raise FeatureNotEnabled(
                f'This is experimental and needs the feature “{feature}” in the first line: #![feature("{feature}")].',
                at,
            )

    def variable(self, name: str, at: Position) -> tuple[int, Kind]:
        if name not in self.variables:
            raise UnknownName(f"There is no variable ${name} here.", at)
        return self.variables[name]


def expect(compiled: Compiled, kind: Kind) -> Compiled:
    """Return the expression if it is of this type. Raises TypeMismatch."""
    if compiled.kind is not kind:
        raise TypeMismatch(f"This has to be of type {kind}; it is of type {compiled.kind}.", compiled.at)
    return compiled
