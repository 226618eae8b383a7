"""A script that was read and checked, and its execution."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from ledger.numscript import statements, variables
from ledger.numscript.dependence import is_balance_free
from ledger.numscript.errors import UnknownName
from ledger.numscript.features import Feature
from ledger.numscript.reading import read
from ledger.numscript.run import BalanceSource, MetadataSource, Run, Sent, Unbounded
from ledger.numscript.scope import Scope, TextCode
from ledger.numscript.statements import Step
from ledger.numscript.syntax import Script
from ledger.numscript.values import WORLD, Given, Value
from ledger.numscript.variables import Filling, Variable

_FEATURES = frozenset(feature.value for feature in Feature)
_NO_BALANCES: BalanceSource = {}
_NO_METADATA: MetadataSource = {}


def only_world(address: str) -> bool:
    """Say that no account but the outside may be debited without a look at its balance."""
    return address in WORLD


def everywhere(address: str) -> bool:
    """Say that any account may be debited: for a book that looks itself when it posts."""
    return True


class Execution(NamedTuple):
    """What a script did: nothing that is not in here."""

    postings: tuple[Sent, ...]
    transaction_metadata: dict[str, Value]
    account_metadata: dict[str, dict[str, Value]]
    needed_balances: tuple[tuple[str, str], ...]
    """Address and asset of every balance that this execution looked at."""


class Program:
    """A script, compiled once: keep it for as long as its source stands."""

    __slots__ = ("_fillings", "_needs", "_steps", "balance_free", "features", "variables")

    def __init__(self, script: Script, scope: Scope) -> None:
        declared = [variables.compiled(node, scope) for node in script.declarations]
        self.variables: tuple[Variable, ...] = tuple(variable for variable, _ in declared)
        self._fillings: tuple[Filling, ...] = tuple(filling for _, filling in declared)
        self._steps: tuple[Step, ...] = tuple(statements.compiled(node, scope) for node in script.statements)
        self._needs: tuple[tuple[TextCode, TextCode], ...] = tuple(scope.needs)
        self.features: frozenset[str] = frozenset(name.text for name in script.features)
        self.balance_free: bool = is_balance_free(script)

    def balances_needed(
        self, given: Mapping[str, Given], *, metadata: MetadataSource = _NO_METADATA
    ) -> tuple[tuple[str, str], ...]:
        """Return address and asset of each balance that an execution may look at, for the caller to lock and read.

        An asset that ends in “/*” stands for all its scales. An account whose name is itself made from a balance is
        not foreseen: compare with the execution's `needed_balances`.
        """
        run = Run(_NO_BALANCES, metadata, only_world, probing=True)
        for fill in self._fillings:
            run.append(fill(run, given))
        needed = ((address(run), asset(run)) for address, asset in self._needs)
        return tuple({pair: None for pair in needed if pair[0] not in WORLD})

    def execute(
        self,
        given: Mapping[str, Given],
        *,
        balances: BalanceSource = _NO_BALANCES,
        metadata: MetadataSource = _NO_METADATA,
        unbounded: Unbounded = only_world,
    ) -> Execution:
        """Execute with these variables. Changes nothing but what it returns. Raises a NumscriptError."""
        run = Run(balances, metadata, unbounded)
        for fill in self._fillings:
            run.append(fill(run, given))
        for step in self._steps:
            step(run)
        return Execution(tuple(run.postings), run.transaction_metadata, run.account_metadata, tuple(run.read))


def parse(source: str, *, features: Collection[str] = ()) -> Program:
    """Read, check and compile a script. `features` are enabled beside those that it asks for itself.

    Raises a NumscriptError, and nothing else, whatever the text is.
    """
    script = read(source)
    for name in script.features:
        if name.text not in _FEATURES:
            raise UnknownName(f"There is no feature “{name.text}”.", name.at)
    asked = {*features, *(name.text for name in script.features)}
    return Program(script, Scope(frozenset(feature for feature in Feature if feature in asked)))


def execute(
    program: Program,
    variables: Mapping[str, Given],
    *,
    balances: BalanceSource = _NO_BALANCES,
    metadata: MetadataSource = _NO_METADATA,
    unbounded: Unbounded = only_world,
) -> Execution:
    """Execute a program. See Program.execute."""
    return program.execute(variables, balances=balances, metadata=metadata, unbounded=unbounded)
