"""The drift check: event types = mappings = templates, and each does what the others say. It returns nothing.

A template is looked at by executing it, line by line: with one amount given, for every account that its roles may stand
at, and with sources that hold everything, nothing, and a part. What it posts is compared with its mapping by GL code.
"""

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from typing import Final

from ledger.chart.active import compiled
from ledger.chart.book_postings import address_of
from ledger.chart.entries import ANY, Chart, is_at
from ledger.chart.mappings import Mapping, Phase
from ledger.chart.template import Template, TemplateFailed
from ledger.controls.refusals import Refusal
from ledger.drafts import Draft
from ledger.money import Money
from ledger.numscript import Execution, Kind, NumscriptError

SETTLE: Final = "settle beyond its reserve"
RELEASE: Final = "release is not its reserve turned round"
FAMILY: Final = (SETTLE, RELEASE)
"""Kinds that name two event types: one of them has to follow the other."""

_PROBE: Final = 12
_ASSET: Final = "EUR"
_MODES: Final = (10**6, 0, 5)
"""Balances of every source: all that is asked, nothing, a part."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One disagreement. `kind` is stable; `subject` is the event type, GL code or account; `detail` says what differs."""

    kind: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}: {self.detail}"


@dataclass(frozen=True, slots=True)
class _Sent:
    """One posting of a probe: by role, where the address is that of one, and by code."""

    line: str
    debit: str
    credit: str
    debit_code: str
    credit_code: str
    amount: int


def find(*, chart: Chart, mappings: AnyMapping[str, Mapping], sources: AnyMapping[str, str]) -> list[Drift]:
    """Return every drift of a chart, its mappings and its templates, in a fixed order."""
    found = [Drift("chart", code, fault) for code, faults in chart.faults().items() for fault in faults]
    found += [Drift("mapping without template", name, "") for name in sorted(set(mappings) - set(sources))]
    found += [Drift("template without mapping", name, "") for name in sorted(set(sources) - set(mappings))]
    probes: dict[str, list[_Sent]] = {}
    for name in sorted(set(mappings) & set(sources)):
        mapping = mappings[name]
        unknown = _unknown_codes(chart, mapping)
        found += unknown
        if unknown:
            continue
        try:
            template = Template(version=0, number=0, mapping=mapping, program=compiled(sources[name]))
        except NumscriptError as error:
            found.append(Drift("template", name, f"{error.message} (line {error.line}, column {error.column})"))
            continue
        faults = list(_parameters(template))
        found += faults
        if faults:
            continue
        try:
            probes[name] = list(_probed(chart, template))
        except Refusal as refusal:
            found.append(Drift("template", name, refusal.message))
            continue
        found += _compared(mapping, probes[name])
    found += _families(mappings, probes)
    return found


def _unknown_codes(chart: Chart, mapping: Mapping) -> list[Drift]:
    named = {mapping.debit, mapping.credit, *mapping.codes, *(c for r in mapping.accounts.values() for c in r.codes)}
    found = [
        Drift("unknown code", mapping.event_type, f"the chart has no GL code {code}")
        for code in sorted(named)
        if code != ANY and not chart.has(code)
    ]
    if mapping.main not in mapping.lines:
        found.append(Drift("main pair", mapping.event_type, f"the mapping has no line {mapping.main}"))
    return found


def _parameters(template: Template) -> Iterator[Drift]:
    """The script's variables are the mapping's lines and accounts, no more and no less."""
    mapping = template.mapping
    given = [variable for variable in template.program.variables if variable.origin is None]
    amounts = {variable.name for variable in given if variable.kind is Kind.MONETARY}
    roles = {template.role(variable.name) for variable in given if variable.kind is Kind.ACCOUNT}
    for variable in given:
        if variable.kind not in (Kind.MONETARY, Kind.ACCOUNT):
            yield Drift("parameter", mapping.event_type, f"${variable.name} is neither an amount nor an account")
    for kind, ours, theirs in (("amount", amounts, set(mapping.lines)), ("account", roles, set(mapping.accounts))):
        for name in sorted(ours - theirs):
            yield Drift("parameter", mapping.event_type, f"the template's {kind} {name} is not in the mapping")
        for name in sorted(theirs - ours):
            yield Drift("parameter", mapping.event_type, f"the mapping's {kind} {name} is not in the template")


def _probed(chart: Chart, template: Template) -> Iterator[_Sent]:
    mapping = template.mapping
    for line in mapping.lines:
        for accounts in _choices(chart, mapping, line):
            roles = {address: role for role, address in accounts.items()}
            for held in _MODES if not template.program.balance_free else _MODES[:1]:
                draft = Draft(
                    event_type=mapping.event_type,
                    key="probe",
                    subject="probe",
                    amounts={
                        name: Money(_PROBE if name == line else 0, _ASSET)
                        for name, one in mapping.lines.items()
                        if name == line or one.required
                    },
                    accounts=accounts,
                )
                done = _execution(chart, template, draft, held)
                if done.account_metadata or any(sent.color for sent in done.postings):
                    raise TemplateFailed("The book keeps neither metadata of accounts nor colors.")
                for sent in done.postings:
                    debit, credit = address_of(sent.source), address_of(sent.destination)
                    yield _Sent(
                        line,
                        roles.get(debit, debit),
                        roles.get(credit, credit),
                        _code(chart, debit),
                        _code(chart, credit),
                        sent.amount,
                    )


def _execution(chart: Chart, template: Template, draft: Draft, held: int) -> Execution:
    """Execute with every ruled account holding the same, and the others without a limit, as in the book."""

    def unruled(address: str) -> bool:
        entry = chart.entry_of(address_of(address))
        return entry is None or entry.balance_rule == "none"

    given = template.given(draft)
    wanted = template.needed(draft, given)
    return template.sends(draft, given, balances=dict.fromkeys(wanted, held), unbounded=unruled)


def _choices(chart: Chart, mapping: Mapping, line: str) -> Iterator[dict[str, str]]:
    """Yield accounts by role: first codes; then each other code of each role; then without the roles that have a default."""
    first = {role: _address(chart, one.codes[0], role) for role, one in mapping.accounts.items()}
    yield first
    for role, one in mapping.accounts.items():
        for code in one.codes[1:]:
            yield {**first, role: _address(chart, code, role)}
    optional = {role for role, one in mapping.accounts.items() if one.otherwise is not None}
    if optional and not optional & set(mapping.lines[line].needs):
        without = {role: address for role, address in first.items() if role not in optional}
        yield without
        for role in without:
            for code in mapping.accounts[role].codes[1:]:
                yield {**without, role: _address(chart, code, role)}


def _address(chart: Chart, code: str, role: str) -> str:
    """Return an address of this role's own at a GL code; for a role that may stand anywhere, one outside the chart."""
    if code == ANY:
        return f"probe:{role.replace('_', '-')}"
    entry = chart.entry(code)
    return entry.resolve({name: role.replace("_", "-") for name in entry.parameters})


def _code(chart: Chart, address: str) -> str:
    if address.startswith("probe:"):
        return ANY
    entry = chart.entry_of(address)
    return entry.gl_code if entry is not None else ""


def _compared(mapping: Mapping, sent: list[_Sent]) -> Iterator[Drift]:
    yield from _of_lines(mapping, sent)
    taking_part = {role for each in sent for role in (each.debit, each.credit)}
    for role in mapping.accounts:
        if role not in taking_part:
            yield Drift("unused account", mapping.event_type, f"{role} takes part in no posting")
    yield from _of_main_pair(mapping, sent)


def _of_lines(mapping: Mapping, sent: list[_Sent]) -> Iterator[Drift]:
    name = mapping.event_type
    told = set[str]()
    for line, one in mapping.lines.items():
        of_line = [each for each in sent if each.line == line]
        if not of_line:
            yield Drift("unused line", name, f"the template posts nothing for {line}")
            continue
        for side, codes, landed in (
            ("debit", one.debit, [(each.debit, each.debit_code) for each in of_line]),
            ("credit", one.credit, [(each.credit, each.credit_code) for each in of_line]),
        ):
            for account, code in landed:
                if not (code and is_at(code, codes)):
                    where = f"GL code {code}" if code else "no GL code of the chart"
                    fault = f"{line} {side}s {account} at {where}, the mapping says {' '.join(codes)}"
                    if fault not in told:
                        told.add(fault)
                        yield Drift("off its mapping", name, fault)
            for code in codes:
                if code != ANY and not any(is_at(where, [code]) for _, where in landed):
                    yield Drift("unused code", name, f"{line} {side}s nothing at GL code {code}")


def _of_main_pair(mapping: Mapping, sent: list[_Sent]) -> Iterator[Drift]:
    pairs = {(each.debit_code, each.credit_code): None for each in sent if each.line == mapping.main}
    if pairs and not any(is_at(debit, [mapping.debit]) and is_at(credit, [mapping.credit]) for debit, credit in pairs):
        posted = ", ".join(f"{debit} to {credit}" for debit, credit in pairs)
        yield Drift(
            "main pair",
            mapping.event_type,
            f"{mapping.main} is posted {posted}, the mapping says {mapping.debit} to {mapping.credit}",
        )


def _families(mappings: AnyMapping[str, Mapping], probes: AnyMapping[str, list[_Sent]]) -> Iterator[Drift]:
    """A settle and a release name a reserve; a settle sends what its hold has, a release is its reserve turned round."""
    for name, mapping in sorted(mappings.items()):
        ends = mapping.phase in (Phase.SETTLE, Phase.RELEASE)
        if not ends:
            if mapping.ends is not None:
                yield Drift("phase", name, f"{mapping.phase} ends no hold, but names {mapping.ends}")
            continue
        reserve = mappings.get(mapping.ends or "")
        if reserve is None or reserve.phase is not Phase.RESERVE:
            yield Drift("phase", name, f"{mapping.phase} names {mapping.ends or 'nothing'}, which is no reserve type")
            continue
        if name not in probes or reserve.event_type not in probes:
            continue
        held = {(s.line, s.debit, s.credit, s.debit_code, s.credit_code) for s in probes[reserve.event_type]}
        ours = {(s.line, s.debit, s.credit, s.debit_code, s.credit_code) for s in probes[name]}
        if mapping.phase is Phase.SETTLE:
            for line, debit, credit, debit_code, credit_code in sorted(ours - held):
                yield Drift(
                    SETTLE,
                    name,
                    f"{line} from {debit} ({debit_code}) to {credit} ({credit_code}) is not in {reserve.event_type}",
                )
        else:
            turned = {(line, credit, debit, cc, dc) for line, debit, credit, dc, cc in held}
            for line, debit, credit, debit_code, credit_code in sorted(ours ^ turned):
                missing = "missing" if (line, debit, credit, debit_code, credit_code) in turned else "too many"
                yield Drift(
                    RELEASE,
                    name,
                    f"{line} from {debit} ({debit_code}) to {credit} ({credit_code}) is {missing}",
                )
