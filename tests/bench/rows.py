"""One row of the bench: a figure beside what the same work costs in bare SQL, in the same run."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """`ratio` is value / baseline; `reach` is what FIGURES asks of it, in words.

    A row that could not be measured has none of the three, and its conditions say why.
    """

    name: str
    value: float | None
    unit: str
    baseline: float | None
    ratio: float | None
    reach: str
    conditions: str


def show(rows: list[Row], path: Path) -> None:
    """Print the rows and write them as JSON."""
    table = Table("row", "value", "baseline", "ratio", "to reach", "conditions")
    for row in rows:
        table.add_row(
            row.name,
            "—" if row.value is None else f"{row.value:,.0f} {row.unit}",
            "—" if row.baseline is None else f"{row.baseline:,.0f}",
            "—" if row.ratio is None else f"{row.ratio:.2f}",
            row.reach,
            row.conditions,
        )
    Console().print(table)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
