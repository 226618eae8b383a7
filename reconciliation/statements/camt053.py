"""A statement as camt.053, the bank-to-customer statement of ISO 20022, entry by entry.

Read by the standard library's expat with every declaration refused (no document type, no entity, nothing from
outside), a limit on depth and on an element's text; an element is forgotten when it ends. What is read of an entry:
its amount and sign, booking and value date, the servicer's reference as line id, and of its transaction details the
references. The indicator says which way money went, of a reversal too (a credit that reverses is a credit); what is not
booked (pending, information) is left out.

Where a statement says its opening and its closing booked balance, its entries have to be what lies between them: else it was
cut, or changed on its way, and nothing of the file is taken.

An entry of several transaction details is one booking of many payments. Where each detail says its amount, all of them are of
the entry's asset and side, and they sum to the entry, each is a line of its own: its id is the entry's with the detail's own
reference, or with its place. Else the entry is one line, with those references on which its details agree.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final
from xml.parsers import expat

from ledger import assets
from ledger.assets import UnknownAsset
from reconciliation.statements import mapping as mappings
from reconciliation.statements.camt053_balances import Balances
from reconciliation.statements.csv_lines import LONGEST_CELL, NotThisFormat
from reconciliation.statements.line import Line, Unreadable, WrongLine

_CHUNK: Final = 64 * 1024
_DEEPEST: Final = 40
_NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:camt.053."
_SEPARATOR: Final = " "

_STATEMENT: Final = ("Document", "BkToCstmrStmt", "Stmt")
_ENTRY: Final = (*_STATEMENT, "Ntry")
_BALANCE: Final = (*_STATEMENT, "Bal")
_KEPT_OF_BALANCES: Final = {
    ("Tp", "CdOrPrtry", "Cd"): "kind",
    ("Amt",): "amount",
    ("CdtDbtInd",): "side",
}
_KEPT: Final = {
    # path below the entry: what it is called here
    ("NtryRef",): "entry_reference",
    ("AcctSvcrRef",): "servicer_reference",
    ("Amt",): "amount",
    ("CdtDbtInd",): "side",
    ("RvslInd",): "reversal",  # kept as it came
    ("Sts",): "status",
    ("Sts", "Cd"): "status",
    ("BookgDt", "Dt"): "booked_on",
    ("BookgDt", "DtTm"): "booked_on",
    ("ValDt", "Dt"): "value_on",
    ("ValDt", "DtTm"): "value_on",
    ("AddtlNtryInf",): "description",
    ("NtryDtls", "TxDtls", "Refs", "EndToEndId"): "our_reference",
    ("NtryDtls", "TxDtls", "Refs", "InstrId"): "our_key",
    ("NtryDtls", "TxDtls", "Refs", "TxId"): "provider_reference",
    ("NtryDtls", "TxDtls", "Refs", "AcctSvcrRef"): "detail_reference",
    ("NtryDtls", "TxDtls", "RmtInf", "Ustrd"): "remittance",
}
_DETAIL: Final = ("NtryDtls", "TxDtls")
_KEPT_OF_DETAILS: Final = {
    path[len(_DETAIL) :]: name for path, name in _KEPT.items() if path[: len(_DETAIL)] == _DETAIL
} | {
    ("Amt",): "amount",
    ("AmtDtls", "TxAmt", "Amt"): "amount",
    ("CdtDbtInd",): "side",
}
_NONE_GIVEN: Final = frozenset({"NOTPROVIDED", "NOTAVAILABLE", "NONREF"})
_MOST_DETAILS: Final = 1_000
_LONGEST_ID: Final = 140


@dataclass(slots=True)
class _Entry:
    number: int
    asset: str = ""
    found: dict[str, list[str]] = field(default_factory=dict)
    details: "list[_Entry]" = field(default_factory=list)

    def one(self, name: str) -> str:
        """Return the value, or nothing where several disagree."""
        values = set(self.found.get(name, ()))
        return values.pop() if len(values) == 1 else ""

    @property
    def is_booked(self) -> bool:
        return self.one("status") in ("BOOK", "")


class _Reader:
    """Collects entries as expat calls; `take` hands over those that have ended."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._entry: _Entry | None = None
        self._balances = Balances()
        self._balance: _Entry | None = None
        self._count = 0
        self._done: list[_Entry] = []
        self.parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.UnparsedEntityDeclHandler = self._refuse
        self.parser.ExternalEntityRefHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def take(self) -> list[_Entry]:
        done, self._done = self._done, []
        return done

    def _refuse(self, *_: object) -> int:
        raise NotThisFormat("A statement has no document type and no entities.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(_SEPARATOR)
        if not self._path and not (namespace.startswith(_NAMESPACE) and local == "Document"):
            raise NotThisFormat("The file is no camt.053 document.")
        self._path.append(local)
        if len(self._path) > _DEEPEST:
            raise NotThisFormat("The file is nested too deeply.")
        self._text, self._length = [], 0
        path = tuple(self._path)
        if path == _ENTRY:
            self._count += 1
            self._entry = _Entry(self._count)
        elif path == _STATEMENT:
            self._balances = Balances()
        elif path == _BALANCE:
            self._balance = _Entry(0)
        elif self._balance is not None:
            self._balance.asset = attributes.get("Ccy", self._balance.asset)
        elif self._entry is not None:
            below = self._below()
            if below == ("Amt",):
                self._entry.asset = attributes.get("Ccy", "")
            elif below == _DETAIL and len(self._entry.details) <= _MOST_DETAILS:
                self._entry.details.append(_Entry(self._entry.number))
            elif below[:2] == _DETAIL and _KEPT_OF_DETAILS.get(below[2:]) == "amount":
                self._entry.details[-1].asset = attributes.get("Ccy", "")

    def _end(self, name: str) -> None:
        path, value = tuple(self._path), "".join(self._text).strip()
        if self._entry is not None:
            if path == _ENTRY:
                self._end_entry(self._entry)
            else:
                self._keep(self._entry, self._below(), value)
        elif self._balance is not None:
            self._keep_balance(self._balance, path, value)
        elif path == (*_STATEMENT, "Id"):
            self._balances.name = value[:40]
        elif path == _STATEMENT:
            self._balances.check()
        self._path.pop()
        self._text, self._length = [], 0

    def _end_entry(self, entry: _Entry) -> None:
        if entry.is_booked:
            self._balances.book(amount=entry.one("amount"), asset=entry.asset, side=entry.one("side"))
        self._done.append(entry)
        self._entry = None

    def _keep_balance(self, balance: _Entry, path: tuple[str, ...], value: str) -> None:
        if path == _BALANCE:
            kind, amount, side = (balance.one(name) for name in ("kind", "amount", "side"))
            self._balances.tell(kind, amount=amount, asset=balance.asset, side=side)
            self._balance = None
        elif name := _KEPT_OF_BALANCES.get(path[len(_BALANCE) :]):
            balance.found.setdefault(name, []).append(value)

    def _keep(self, entry: _Entry, below: tuple[str, ...], value: str) -> None:
        kept = _KEPT.get(below)
        if kept is not None:
            values = entry.found.setdefault(kept, [])
            if value and len(values) < _MOST_DETAILS:
                values.append(value)
        of_detail = _KEPT_OF_DETAILS.get(below[2:]) if below[:2] == _DETAIL else None
        if of_detail is not None and value:
            entry.details[-1].found.setdefault(of_detail, []).append(value)

    def _characters(self, text: str) -> None:
        self._length += len(text)
        if self._length > LONGEST_CELL:
            raise NotThisFormat(f"An element holds more than {LONGEST_CELL} characters.")
        self._text.append(text)

    def _below(self) -> tuple[str, ...]:
        return tuple(self._path[len(_ENTRY) :])


def read(content: bytes) -> Iterator[Line | WrongLine]:
    """Yield each booked entry of a camt.053 file. Raises NotThisFormat."""
    reader = _Reader()
    try:
        for start in range(0, max(len(content), 1), _CHUNK):
            reader.parser.Parse(content[start : start + _CHUNK], False)
            yield from _lines(reader.take())
        reader.parser.Parse(b"", True)
    except NotThisFormat:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:  # also an encoding that nobody knows
        raise NotThisFormat(f"The file is no XML: {error}") from error
    yield from _lines(reader.take())


def _lines(entries: list[_Entry]) -> Iterator[Line | WrongLine]:
    for entry in entries:
        if entry.is_booked:
            line = _line(entry)
            yield from _of_details(entry, line) if isinstance(line, Line) else [line]


def _line(entry: _Entry) -> Line | WrongLine:
    raw = {name: "; ".join(values)[:LONGEST_CELL] for name, values in entry.found.items()} | {"asset": entry.asset}
    line_id = entry.one("servicer_reference") or entry.one("entry_reference") or entry.one("detail_reference")
    try:
        if not line_id or len(line_id) > _LONGEST_ID:
            raise Unreadable("The entry has no reference of the servicer's by which to know it again.")
        asset = assets.named(entry.asset)
        amount = mappings.read_amount(entry.one("amount"), asset)
        side = entry.one("side")
        if amount <= 0 or side not in ("CRDT", "DBIT"):
            raise Unreadable("The entry needs an amount of more than zero, and CRDT or DBIT.")
        return Line(
            number=entry.number,
            line_id=line_id,
            booked_on=_date(entry.one("booked_on")),
            value_on=_date(entry.one("value_on")) if entry.one("value_on") else None,
            asset=asset.code,
            amount_minor=amount if side == "CRDT" else -amount,
            our_key=_id(entry, "our_key"),
            our_reference=_id(entry, "our_reference"),
            provider_reference=_id(entry, "provider_reference"),
            description=(" ".join(entry.found.get("remittance", ())) or entry.one("description"))[:500],
            raw=raw,
        )
    except (Unreadable, UnknownAsset) as error:
        return WrongLine(entry.number, (str(error),), raw)


def _of_details(entry: _Entry, whole: Line) -> list[Line]:
    """Return a line for each detail, or the whole alone where they do not say what each of them is."""
    details = entry.details
    if not 2 <= len(details) <= _MOST_DETAILS:
        return [whole]
    if any(one.asset != entry.asset or one.one("side") not in ("", entry.one("side")) for one in details):
        return [whole]
    try:
        amounts = [mappings.read_amount(one.one("amount"), assets.named(entry.asset)) for one in details]
    except Unreadable:
        return [whole]
    if min(amounts) <= 0 or sum(amounts) != abs(whole.amount_minor):
        return [whole]
    references = [one.one("detail_reference") for one in details]
    lines = []
    for place, (one, amount, reference) in enumerate(zip(details, amounts, references, strict=True), start=1):
        by = reference if reference and references.count(reference) == 1 else str(place)
        lines.append(
            replace(
                whole,
                line_id=f"{whole.line_id}/{by}",
                amount_minor=amount if whole.amount_minor > 0 else -amount,
                our_key=_id(one, "our_key"),
                our_reference=_id(one, "our_reference"),
                provider_reference=_id(one, "provider_reference"),
                description=(" ".join(one.found.get("remittance", ())) or entry.one("description"))[:500],
                raw={name: "; ".join(values)[:LONGEST_CELL] for name, values in one.found.items()}
                | {"asset": one.asset, "entry": whole.line_id},
            )
        )
    return lines if all(len(line.line_id) <= _LONGEST_ID for line in lines) else [whole]


def _id(entry: _Entry, name: str) -> str:
    value = entry.one(name)
    return "" if value in _NONE_GIVEN else value[:140]


def _date(text: str) -> date:
    """Read a date, or the date of an instant as the bank wrote it."""
    if "T" in text:
        try:
            datetime.fromisoformat(text)
        except ValueError as error:
            raise Unreadable(f"{text[:40]!r} is no date.") from error
        text = text[:10]
    return mappings.read_date(text[:10] if len(text) > 10 and text[10:11] in "+-Z" else text, "YYYY-MM-DD")
