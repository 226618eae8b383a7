"""A template bound to its mapping: turns a draft's named amounts and accounts into what is posted. Knows no database."""

from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from typing import Final

from ledger.chart.book_postings import ZERO
from ledger.chart.mappings import Mapping, Phase
from ledger.chart.plan import Plan
from ledger.controls.refusals import Refusal
from ledger.drafts import Draft
from ledger.numscript import Execution, Given, Kind, Monetary, NumscriptError, Program, Sent, everywhere

_NOTHING: Final = Monetary("EUR", 0)
_ACCOUNT: Final = "_account"
"""An account whose name is also an amount's ends in this, in the template: `$vat` is sent to `$vat_account`."""
_ABSENT: Final = "absent:"


class MissingParameter(Refusal):
    """An amount or account that this event type needs was not given."""

    code = "missing_parameter"


class UnknownParameter(Refusal):
    """This event type has no amount of that name."""

    code = "unknown_parameter"


class TemplateFailed(Refusal):
    """The event type's template could not be executed with these parameters."""

    code = "template_failed"


class Template:
    """One version of an event type's template. Compiled once, executed for each draft."""

    __slots__ = (
        "_accounts",
        "_needs",
        "_required",
        "_roles",
        "_zeros",
        "mapping",
        "number",
        "plan",
        "program",
        "version",
    )

    def __init__(self, *, version: int, number: int, mapping: Mapping, program: Program) -> None:
        self.version = version
        self.number = number
        self.mapping = mapping
        self.program = program
        given = [variable for variable in program.variables if variable.origin is None]
        self._zeros: dict[str, Given] = {v.name: _NOTHING for v in given if v.kind is Kind.MONETARY}
        self._accounts = tuple((v.name, self.role(v.name)) for v in given if v.kind is Kind.ACCOUNT)
        self._roles = frozenset(role for _, role in self._accounts)
        self._required = tuple(name for name, line in mapping.lines.items() if line.required)
        self._needs = tuple((name, line.needs) for name, line in mapping.lines.items() if line.needs)
        self.plan = Plan.of(program, mapping, dict(self._accounts))

    @property
    def phase(self) -> Phase:
        return self.mapping.phase

    @property
    def balance_free(self) -> bool:
        """Whether an execution needs no look at a balance. A release sends nothing, whatever its template says."""
        return self.mapping.phase is Phase.RELEASE or self.program.balance_free

    def role(self, variable: str) -> str:
        """Return which of the draft's accounts an account variable is."""
        if variable not in self.mapping.accounts and variable.endswith(_ACCOUNT):
            return variable.removesuffix(_ACCOUNT)
        return variable

    def given(self, draft: Draft) -> dict[str, Given]:
        """Return the script's variables. Raises MissingParameter or UnknownParameter."""
        given = self._zeros.copy()
        for name, amount in draft.amounts.items():
            if name not in given:
                raise UnknownParameter(f"{draft.event_type} has no amount {name}.", event_type=draft.event_type)
            given[name] = Monetary(amount.asset, amount.minor or (ZERO if draft.flags else 0))
        for name in self._required:
            if name not in draft.amounts:
                raise MissingParameter(f"{draft.event_type} needs the amount {name}.", event_type=draft.event_type)
        for name, needs in self._needs:
            if name in draft.amounts and draft.amounts[name].minor:
                for account in needs:
                    if account not in draft.accounts:
                        raise _missing(draft, account)
        accounts = draft.accounts
        for name, role in self._accounts:
            found = accounts.get(role)
            given[name] = found if found is not None else self._otherwise(role, accounts)
        return given

    def sends(
        self,
        draft: Draft,
        given: AnyMapping[str, Given],
        *,
        balances: AnyMapping[tuple[str, ...], int] | None = None,
        unbounded: Callable[[str], bool] = everywhere,
    ) -> Execution:
        """Execute for a draft. Raises TemplateFailed or MissingParameter."""
        try:
            done = self.program.execute(given, balances=balances or {}, unbounded=unbounded)
        except NumscriptError as error:
            raise self._failed(draft, error) from error
        if not draft.accounts.keys() >= self._roles:
            _all_present(draft, done.postings)
        return done

    def needed(self, draft: Draft, given: AnyMapping[str, Given]) -> tuple[tuple[str, str], ...]:
        """Return the (account, asset) pairs whose balances an execution may look at. Raises TemplateFailed."""
        try:
            return self.program.balances_needed(given)
        except NumscriptError as error:
            raise self._failed(draft, error) from error

    def _failed(self, draft: Draft, error: NumscriptError) -> TemplateFailed:
        return TemplateFailed(
            f"{draft.event_type}, template version {self.number}: {error.message}", event_type=draft.event_type
        )

    def _otherwise(self, role: str, accounts: AnyMapping[str, str]) -> str:
        declared = self.mapping.accounts.get(role)
        fallback = declared.otherwise if declared is not None else None
        if fallback is not None and fallback in accounts:
            return accounts[fallback]
        return _ABSENT + role.replace("_", "-")


def _all_present(draft: Draft, postings: tuple[Sent, ...]) -> None:
    for sent in postings:
        for address in (sent.source, sent.destination):
            if address.startswith(_ABSENT):
                raise _missing(draft, address.removeprefix(_ABSENT).replace("-", "_"))


def _missing(draft: Draft, account: str) -> MissingParameter:
    return MissingParameter(f"{draft.event_type} needs the account {account}.", event_type=draft.event_type)
