"""The lines of a file, by its source's format."""

from collections.abc import Iterator, Mapping
from typing import Any

from reconciliation.models import StatementSource
from reconciliation.statements import camt053, csv_lines, mapping
from reconciliation.statements.line import Line, WrongLine


def lines(*, content: bytes, source: StatementSource, kept_mapping: Mapping[str, Any]) -> Iterator[Line | WrongLine]:
    """Yield each line. Raises csv_lines.NotThisFormat at the first byte that does not fit."""
    if source.format == StatementSource.Format.CAMT053:
        return camt053.read(content)
    return csv_lines.read(content, mapping=mapping.from_json(kept_mapping), asset=source.asset)
