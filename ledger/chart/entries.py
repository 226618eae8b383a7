"""The chart of accounts: GL codes, and the pattern of addresses that each stands for. Knows no database."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Final

CLASSES: Final = ("asset", "liability", "equity", "income", "expense")
SIDES: Final = ("debit", "credit")
RULES: Final = ("none", "debits_must_not_exceed_credits", "credits_must_not_exceed_debits")
ANY: Final = "*"
"""In a mapping: every code of the chart."""

_CODE: Final = re.compile(r"[0-9]{1,10}(\.[0-9]{1,10}){0,3}", re.ASCII)
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_.@-]+|\{[a-z_]+\}", re.ASCII)
_VALUE: Final = re.compile(r"[A-Za-z0-9_.@-]+", re.ASCII)
LONGEST_ADDRESS: Final = 255


class UnknownCode(LookupError):
    """The chart has no such GL code."""


class AddressUnresolved(ValueError):
    """A GL code's pattern and the given parameters do not make an address."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the chart. `address` is a pattern: `merchants:{merchant}:available`."""

    gl_code: str
    name: str
    account_class: str
    normal_side: str
    workflow_view: str
    address: str
    balance_rule: str

    @property
    def segments(self) -> list[str]:
        return self.address.split(":")

    @property
    def parameters(self) -> list[str]:
        return [segment[1:-1] for segment in self.segments if segment.startswith("{")]

    def covers(self, address: str) -> bool:
        """Whether the pattern stands for an address."""
        given, wanted = address.split(":"), self.segments
        return len(given) == len(wanted) and all(
            (bool(value) if want.startswith("{") else value == want) for value, want in zip(given, wanted, strict=True)
        )

    def resolve(self, parameters: Mapping[str, str]) -> str:
        """Return the address that the parameters make. Raises AddressUnresolved."""
        segments = []
        for segment in self.segments:
            value = parameters.get(segment[1:-1], "") if segment.startswith("{") else segment
            if not _VALUE.fullmatch(value):
                raise AddressUnresolved(f"{self.gl_code} {self.address}: {segment} is {value!r}")
            segments.append(value)
        return ":".join(segments)

    def faults(self) -> list[str]:
        """Return what is wrong with this line by itself."""
        found = []
        if not _CODE.fullmatch(self.gl_code):
            found.append(f"gl_code {self.gl_code!r} is not digits, with dots before sub-codes")
        if not 0 < len(self.name) <= 80:
            found.append("name has to be 1 to 80 characters")
        for column, value, allowed in (
            ("account_class", self.account_class, CLASSES),
            ("normal_side", self.normal_side, SIDES),
            ("balance_rule", self.balance_rule, RULES),
        ):
            if value not in allowed:
                found.append(f"{column} {value!r} is none of {', '.join(allowed)}")
        if not re.fullmatch(r"[a-z_]{1,40}", self.workflow_view):
            found.append(f"workflow_view {self.workflow_view!r} is not a word of a-z and _")
        if len(self.address) > LONGEST_ADDRESS or not all(_SEGMENT.fullmatch(part) for part in self.segments):
            found.append(f"address {self.address!r} is no pattern such as merchants:{{merchant}}:available")
        elif len(set(self.parameters)) != len(self.parameters):
            found.append(f"address {self.address!r} names a parameter twice")
        return found


COLUMNS: Final = tuple(field.name for field in fields(Entry))


def is_at(code: str, allowed: Iterable[str]) -> bool:
    """Whether a code is one of these, or a sub-code of one (2004.1 of 2004)."""
    return any(one == ANY or code == one or code.startswith(f"{one}.") for one in allowed)


class Chart:
    """A chart's entries. Codes and patterns are unique; the most literal pattern that covers an address has it."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._by_code = {entry.gl_code: entry for entry in entries}
        self._by_length: dict[int, list[Entry]] = {}
        for entry in sorted(entries, key=lambda one: len(one.parameters)):
            self._by_length.setdefault(len(entry.segments), []).append(entry)

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(entry.gl_code for entry in self.entries)

    def entry(self, code: str) -> Entry:
        """Return the entry of a GL code. Raises UnknownCode."""
        if code not in self._by_code:
            raise UnknownCode(code)
        return self._by_code[code]

    def has(self, code: str) -> bool:
        return code in self._by_code

    def entry_of(self, address: str) -> Entry | None:
        """Return the entry that an address belongs to, the most literal one."""
        candidates = self._by_length.get(address.count(":") + 1, [])
        return next((entry for entry in candidates if entry.covers(address)), None)

    def address(self, code: str, **parameters: str) -> str:
        """Resolve a GL code and parameters into an address. Raises UnknownCode or AddressUnresolved."""
        return self.entry(code).resolve(parameters)

    def faults(self) -> dict[str, list[str]]:
        """Return what is wrong, by code: lines by themselves, and codes or patterns that occur twice."""
        found = {entry.gl_code: entry.faults() for entry in self.entries}
        codes, patterns = set[str](), dict[str, str]()
        for entry in self.entries:
            if entry.gl_code in codes:
                found[entry.gl_code].append(f"gl_code {entry.gl_code} occurs twice")
            codes.add(entry.gl_code)
            shape = re.sub(r"\{[a-z_]+\}", "{}", entry.address)
            if shape in patterns:
                found[entry.gl_code].append(f"address {entry.address} is that of {patterns[shape]}")
            patterns.setdefault(shape, entry.gl_code)
        return {code: faults for code, faults in found.items() if faults}


def from_csv(text: str) -> list[Entry]:
    """Read a chart's CSV (the columns of Entry)."""
    return [Entry(*(row[name].strip() for name in COLUMNS)) for row in csv.DictReader(io.StringIO(text))]


def as_rows(chart: Chart) -> list[dict[str, str]]:
    """Return the chart as plain rows, in order of code: what a version stores."""
    return [dict(zip(COLUMNS, astuple(entry), strict=True)) for entry in sorted(chart.entries, key=lambda e: e.gl_code)]


def from_rows(rows: Iterable[Mapping[str, str]]) -> Chart:
    return Chart([Entry(*(row[name] for name in COLUMNS)) for row in rows])
