"""A script that was read and checked, and its execution."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ledger.numscript import statements, variables
from ledger.numscript.dependence import is_balance_free
from ledger.numscript.errors import UnknownName
from ledger.numscript.features import Feature
from ledger.numscript.plain import PlainSend, plain_sends
from ledger.numscript.reading import read
from ledger.numscript.run import BalanceSource, MetadataSource, Run, Sent, Unbounded
from ledger.numscript.scope import Scope, TextCode
from ledger.numscript.statements import Step
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


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A script, compiled once: keep it for as long as its source stands."""

    variables: tuple[Variable, ...]
    """In order of declaration."""
    features: frozenset[str]
    """Those that the script asks for."""
    balance_free: bool
    """True when no execution can depend on a balance or on stored metadata."""
    plain_sends: tuple[PlainSend, ...] | None
    """All that it does, where these are plain sends of its variables."""
    _fillings: tuple[Filling, ...]
    _steps: tuple[Step, ...]
    _needs: tuple[tuple[TextCode, TextCode], ...]

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
        run.tracking = unbounded is not everywhere or not self.balance_free
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
    scope = Scope(frozenset(feature for feature in Feature if feature in asked))
    declared = [variables.compiled(node, scope) for node in script.declarations]
    steps = tuple(statements.compiled(node, scope) for node in script.statements)
    return Program(
        variables=tuple(variable for variable, _ in declared),
        features=frozenset(name.text for name in script.features),
        balance_free=is_balance_free(script),
        plain_sends=plain_sends(script),
        _fillings=tuple(filling for _, filling in declared),
        _steps=steps,
        _needs=tuple(scope.needs),
    )


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
