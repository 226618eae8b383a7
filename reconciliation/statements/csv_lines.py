"""A statement as CSV, line by line: nothing but the line at hand is kept."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Final

from ledger import assets
from ledger.assets import UnknownAsset
from reconciliation.statements import mapping as mappings
from reconciliation.statements.line import Line, Unreadable, WrongLine
from reconciliation.statements.mapping import CsvMapping

MOST_COLUMNS: Final = 100
LONGEST_CELL: Final = 2_000
_LIMITS: Final = {
    "line_id": 140,
    "our_key": 255,
    "our_reference": 140,
    "provider_reference": 140,
    "partner_order_id": 255,
    "quote_reference": 140,
    "description": 500,
}


class NotThisFormat(Unreadable):
    """The file is not of the format that its source has."""


def read(content: bytes, *, mapping: CsvMapping, asset: str) -> Iterator[Line | WrongLine]:
    """Yield each line of a CSV file; `asset` is what a line is of that names none. Raises NotThisFormat."""
    stream = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    rows = csv.reader(stream, delimiter=mappings.DELIMITERS[mapping.delimiter], strict=True)
    try:
        headers = [header.strip() for header in next(rows, [])]
        _check_headers(headers, mapping)
        for number, cells in enumerate(rows, start=2):
            if any(cell.strip() for cell in cells):
                yield _line(number, headers, cells, mapping, asset)
    except (csv.Error, UnicodeDecodeError) as error:
        raise NotThisFormat(f"The file is not CSV in UTF-8: {error}") from error


def _check_headers(headers: list[str], mapping: CsvMapping) -> None:
    if not headers or len(headers) > MOST_COLUMNS:
        raise NotThisFormat(f"The first line has to name the columns, at most {MOST_COLUMNS}.")
    if any("\x00" in header or len(header) > LONGEST_CELL for header in headers):
        raise NotThisFormat(f"A column's name is no text, or longer than {LONGEST_CELL} characters.")
    missing = [name for name in mapping.columns.values() if name not in headers]
    if missing:
        raise NotThisFormat(f"The first line does not name {', '.join(missing)}.")
    if any(headers.count(name) > 1 for name in mapping.columns.values()):
        raise NotThisFormat("The first line names a column twice.")


def _line(number: int, headers: list[str], cells: list[str], mapping: CsvMapping, asset: str) -> Line | WrongLine:
    raw = {header: cell[:LONGEST_CELL] for header, cell in zip(headers, cells, strict=False) if header}
    if len(cells) != len(headers):
        return WrongLine(number, (f"{len(cells)} cells, and {len(headers)} columns.",), raw)
    if any("\x00" in cell or len(cell) > LONGEST_CELL for cell in cells):
        return WrongLine(number, (f"A cell is no text, or longer than {LONGEST_CELL} characters.",), {})
    given = {name: raw.get(column, "").strip() for name, column in mapping.columns.items()}
    errors: list[str] = [
        f"{mappings.COLUMNS[name]}: more than {most} characters."
        for name, most in _LIMITS.items()
        if len(given.get(name, "")) > most
    ]
    if not given["line_id"]:
        errors.append("The line has no id.")
    try:
        code = assets.named(given.get("asset") or asset).code
        amount = _amount(given, mapping, code)
        booked_on = mappings.read_date(given["booked_on"], mapping.date_format)
        value_on = mappings.read_date(given["value_on"], mapping.date_format) if given.get("value_on") else None
    except (Unreadable, UnknownAsset) as error:
        return WrongLine(number, (*errors, str(error)), raw)
    if errors:
        return WrongLine(number, tuple(errors), raw)
    texts = {name: given.get(name, "") for name in _LIMITS}
    return Line(
        number=number, booked_on=booked_on, value_on=value_on, asset=code, amount_minor=amount, raw=raw, **texts
    )


def _amount(given: Mapping[str, str], mapping: CsvMapping, code: str) -> int:
    asset = assets.named(code)
    if "amount" not in mapping.columns:
        sides = [
            mappings.read_amount(given[name], asset, decimal_mark=mapping.decimal_mark) if given[name] else 0
            for name in ("amount_in", "amount_out")
        ]
        if bool(sides[0]) == bool(sides[1]) or min(sides) < 0:
            raise Unreadable("One of the two amounts has to be there, more than zero, and not both.")
        return sides[0] - sides[1]
    minor = mappings.read_amount(given["amount"], asset, decimal_mark=mapping.decimal_mark)
    if minor == 0:
        raise Unreadable("The amount is zero.")
    if "direction" not in mapping.columns:
        return -minor if mapping.positive_is_out else minor
    word = given["direction"]
    if minor < 0:
        raise Unreadable("An amount beside a direction has no sign.")
    if word in mapping.words_in:
        return minor
    if word in mapping.words_out:
        return -minor
    raise Unreadable(f"The direction says {word[:40]!r}.")
