"""How a source writes its CSV: which column holds what, and how dates, amounts and directions are written."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Final

from ledger import money
from ledger.money import Asset, InvalidAmount
from reconciliation.statements.line import Unreadable

COLUMNS: Final = {
    "line_id": "Line id (theirs, never twice)",
    "booked_on": "Booking date",
    "value_on": "Value date",
    "amount": "Amount",
    "amount_in": "Amount in (instead of Amount)",
    "amount_out": "Amount out (instead of Amount)",
    "direction": "Direction",
    "asset": "Asset",
    "our_key": "Our key",
    "our_reference": "Our id (order, payout, return, settlement)",
    "provider_reference": "Their id of the movement",
    "partner_order_id": "Partner order id",
    "quote_reference": "Quote id",
    "description": "Description",
}
"""What a column can hold, with the label of its field in the console."""

DATE_FORMATS: Final = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "YYYYMMDD": "%Y%m%d",
    "DD.MM.YYYY": "%d.%m.%Y",
    "DD/MM/YYYY": "%d/%m/%Y",
    "MM/DD/YYYY": "%m/%d/%Y",
}
DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
DECIMAL_MARKS: Final = {"point": ".", "comma": ","}

_LONGEST = 80
_DATE_WIDTH = {"%Y%m%d": 8}


@dataclass(frozen=True, slots=True)
class CsvMapping:
    """`columns` names their header per field of ours. `words_in` and `words_out` are what the direction column says.

    Without a direction column a signed amount tells: a positive one is in, unless `positive_is_out`.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    delimiter: str = "comma"
    date_format: str = "YYYY-MM-DD"
    decimal_mark: str = "point"
    words_in: Sequence[str] = ()
    words_out: Sequence[str] = ()
    positive_is_out: bool = False

    def faults(self) -> list[str]:
        """Say what is wrong with it; nothing when it can be used."""
        named, wrong = self.columns, []
        wrong += [f"There is no field {name!r}." for name in named if name not in COLUMNS]
        wrong += [f"{COLUMNS[name]}: name its column." for name in ("line_id", "booked_on") if not named.get(name)]
        if any(len(header) > _LONGEST for header in named.values()):
            wrong.append(f"A column's name has at most {_LONGEST} characters.")
        if len(set(named.values())) < len(named):
            wrong.append("Two fields are of the same column.")
        two = [name for name in ("amount_in", "amount_out") if named.get(name)]
        if bool(named.get("amount")) == bool(two) or len(two) == 1:
            wrong.append("Name one amount column, or one for amounts in and one for amounts out.")
        if named.get("direction"):
            if two:
                wrong.append("Two amount columns need no direction.")
            if not self.words_in or not self.words_out:
                wrong.append("Say which words of the direction column mean in, and which out.")
            if set(self.words_in) & set(self.words_out):
                wrong.append("A word means in or out, not both.")
        for value, known, what in (
            (self.delimiter, DELIMITERS, "delimiter"),
            (self.date_format, DATE_FORMATS, "date format"),
            (self.decimal_mark, DECIMAL_MARKS, "decimal mark"),
        ):
            if value not in known:
                wrong.append(f"There is no {what} {value!r}.")
        return wrong

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "columns": dict(self.columns),
            "words_in": list(self.words_in),
            "words_out": list(self.words_out),
        }


def from_json(kept: Mapping[str, Any]) -> CsvMapping:
    """Read a mapping as `as_json` wrote it."""
    return CsvMapping(**kept)


def read_date(text: str, date_format: str) -> date:
    """Read a date written exactly so. Raises Unreadable."""
    pattern = DATE_FORMATS[date_format]
    try:
        if not text.isascii() or len(text) != _DATE_WIDTH.get(pattern, 10):
            raise ValueError
        found = datetime.strptime(text, pattern).date()  # noqa: DTZ007  a bank's date has no zone
    except ValueError as error:
        raise Unreadable(f"{text[:40]!r} is no date written {date_format}.") from error
    if not 2000 <= found.year <= 2200:
        raise Unreadable(f"{text} lies too far away.")
    return found


def read_amount(text: str, asset: Asset, *, decimal_mark: str = "point") -> int:
    """Read a signed amount in major units and return minor units. Thousands may be grouped. Raises Unreadable."""
    mark = DECIMAL_MARKS[decimal_mark]
    sign, digits = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    whole, point, decimals = digits.partition(mark)
    if re.fullmatch(r"[0-9]{1,3}([.,' \u00a0\u202f])[0-9]{3}(\1[0-9]{3})*", whole, re.ASCII):
        whole = re.sub(r"[^0-9]", "", whole)
    kept = decimals[: asset.scale] + decimals[asset.scale :].rstrip("0")
    if point and not decimals:
        raise Unreadable(f"{text[:40]!r} is no amount.")
    try:
        amount = money.parse(whole + (f".{kept}" if kept else ""), asset)
    except InvalidAmount as error:
        raise Unreadable(f"{text[:40]!r}: {error}") from error
    return sign * amount.minor
