"""Finance's own chart as CSV: a dry run shows line by line what would change; nothing is written before two people agree.

The lines of the file are put into the present chart by GL code: new codes are added, known ones changed, and codes that
the file does not name stay.
"""

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import tablib
from django.core.exceptions import ValidationError
from django.utils.safestring import SafeString
from import_export.fields import Field
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import Resource
from import_export.results import RowResult

from ledger.chart import stored, versions
from ledger.chart.entries import COLUMNS, Chart, Entry, as_rows
from ledger.controls.refusals import Malformed

LARGEST: Final = 1024 * 1024
MOST_LINES: Final = 5000
_KINDS: Final = {
    RowResult.IMPORT_TYPE_NEW: "new",
    RowResult.IMPORT_TYPE_UPDATE: "changed",
    RowResult.IMPORT_TYPE_SKIP: "unchanged",
    RowResult.IMPORT_TYPE_INVALID: "wrong",
    RowResult.IMPORT_TYPE_ERROR: "wrong",
}


class _Line:
    """An entry while it is being imported: a thing with changeable attributes, as the resource wants it."""

    pk = None

    def __init__(self, **values: str) -> None:
        for column in COLUMNS:
            setattr(self, column, values.get(column, ""))

    def entry(self) -> Entry:
        return Entry(**{column: getattr(self, column) for column in COLUMNS})


class _Lines(BaseInstanceLoader):  # type: ignore[misc]  # the package has no types
    """Finds a line of the present chart by its code."""

    def get_instance(self, row: AnyMapping[str, str]) -> _Line | None:
        known: dict[str, _Line] = self.resource.lines
        return known.get((row.get("gl_code") or "").strip())


class ChartResource(Resource):  # type: ignore[misc]  # the package has no types
    """django-import-export over the lines of a chart in memory. It writes nothing but `lines`."""

    gl_code = Field(attribute="gl_code", column_name="gl_code")
    name = Field(attribute="name", column_name="name")
    account_class = Field(attribute="account_class", column_name="account_class")
    normal_side = Field(attribute="normal_side", column_name="normal_side")
    workflow_view = Field(attribute="workflow_view", column_name="workflow_view")
    address = Field(attribute="address", column_name="address")
    balance_rule = Field(attribute="balance_rule", column_name="balance_rule")

    class Meta:
        import_id_fields = ("gl_code",)
        instance_loader_class = _Lines
        skip_unchanged = True
        report_skipped = True
        use_transactions = False
        import_order = COLUMNS
        export_order = COLUMNS

    def __init__(self, chart: Chart) -> None:
        super().__init__()
        self.lines = {entry.gl_code: _Line(**asdict(entry)) for entry in chart.entries}
        self._seen = set[str]()

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        for column in COLUMNS:
            row[column] = str(row.get(column) or "").strip()
        code = row["gl_code"]
        if code in self._seen:
            raise ValidationError(f"gl_code {code} is in the file twice")
        self._seen.add(code)

    def init_instance(self, row: AnyMapping[str, str] | None = None) -> _Line:
        return _Line()

    def validate_instance(
        self, instance: _Line, import_validation_errors: Any = None, validate_unique: bool = True
    ) -> None:
        faults = instance.entry().faults()
        if faults:
            raise ValidationError(faults)

    def do_instance_save(self, instance: _Line, is_create: bool) -> None:
        self.lines[instance.gl_code] = instance  # type: ignore[attr-defined]  # set by name

    def save_m2m(self, instance: _Line, row: Any, **kwargs: Any) -> None:
        """There is nothing beside a line."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file: what would become of it, its cells as HTML with changes marked, and what is wrong."""

    number: int
    kind: str
    cells: Sequence[SafeString | str]
    errors: Sequence[str]


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a file would do. `faults` are about the file or the chart as a whole."""

    headers: Sequence[str]
    rows: Sequence[Row]
    faults: Sequence[str]
    content: Sequence[AnyMapping[str, str]]

    @property
    def stands(self) -> bool:
        return not self.faults and not any(row.errors for row in self.rows)

    @property
    def counts(self) -> dict[str, int]:
        return {kind: sum(row.kind == kind for row in self.rows) for kind in ("new", "changed", "unchanged", "wrong")}


def dry_run(*, environment: str, text: str) -> DryRun:
    """Say what a CSV file would make of the book's chart. Changes nothing. Raises Malformed for what is no such file."""
    dataset = _dataset(text)
    resource = ChartResource(stored.chart_of(environment))
    result = resource.import_data(dataset, dry_run=False, raise_errors=False)
    rows = [
        Row(
            number=number,
            kind=_KINDS.get(one.import_type, one.import_type),
            cells=list(one.diff) if one.diff else [str(value) for value in dataset[number - 2]],
            errors=_errors(one),
        )
        for number, one in enumerate(result.rows, start=2)
    ]
    faults = [str(one.error) for one in result.base_errors]
    chart = Chart([line.entry() for line in resource.lines.values()])
    if not faults and not any(row.errors for row in rows):
        faults = [str(one) for one in versions.chart_faults(environment, chart)]
        if not any(row.kind in ("new", "changed") for row in rows):
            faults.append("the file changes nothing")
    return DryRun(headers=COLUMNS, rows=rows, faults=faults, content=as_rows(chart))


def exported(chart: Chart) -> str:
    """Return a chart as the CSV that can be imported again."""
    resource = ChartResource(chart)
    ordered = [resource.lines[code] for code in sorted(resource.lines)]
    text: str = resource.export(ordered).csv
    return text


def differences(before: Chart, after: Chart) -> list[tuple[str, str, str]]:
    """Return (code, what it was, what it is) of each line that differs, for whoever approves."""
    old = {entry.gl_code: entry for entry in before.entries}
    new = {entry.gl_code: entry for entry in after.entries}
    return [
        (code, _written(old.get(code)), _written(new.get(code)))
        for code in sorted({*old, *new})
        if old.get(code) != new.get(code)
    ]


def _written(entry: Entry | None) -> str:
    return " · ".join(asdict(entry).values()) if entry is not None else "–"


def _dataset(text: str) -> Any:
    if len(text) > LARGEST:
        raise Malformed("The file is larger than a megabyte.")
    if "\0" in text:
        raise Malformed("The file is not a text.")
    try:
        dataset = tablib.Dataset().load(text.lstrip("\ufeff"), format="csv")
    except Exception as error:  # whatever a library says about a stranger's file
        raise Malformed(f"The file is not CSV: {error}") from error
    headers = [str(header).strip() for header in dataset.headers or []]
    missing = [column for column in COLUMNS if column not in headers]
    if missing:
        raise Malformed(
            f"The first line has to name the columns {', '.join(COLUMNS)}; {', '.join(missing)} is missing."
        )
    if len(dataset) > MOST_LINES:
        raise Malformed(f"The file has more than {MOST_LINES} lines.")
    dataset.headers = headers
    return dataset


def _errors(row: Any) -> list[str]:
    if row.validation_error is not None:
        return [str(message) for message in row.validation_error.messages]
    return [str(one.error) for one in row.errors]
