"""The bundled baseline: the chart, the GL mappings and the templates that a release brings along (`baseline/`)."""

import json
from collections.abc import Mapping as AnyMapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from ledger.chart import mappings
from ledger.chart.entries import Chart, from_csv
from ledger.chart.mappings import Mapping

FOLDER: Final = Path(__file__).resolve().parent / "baseline"
TEMPLATES: Final = FOLDER / "templates"


@cache
def chart() -> Chart:
    return Chart(from_csv((FOLDER / "chart.csv").read_text(encoding="utf-8")))


@cache
def contents() -> AnyMapping[str, Any]:
    """Return each event type's mapping as it is stored."""
    found: dict[str, Any] = json.loads((FOLDER / "mappings.json").read_text(encoding="utf-8"))
    return found


@cache
def gl_mappings() -> AnyMapping[str, Mapping]:
    return {name: mappings.from_content(name, content) for name, content in contents().items()}


@cache
def sources() -> AnyMapping[str, str]:
    """Return each event type's template."""
    return {path.stem.upper(): path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.glob("*.num"))}
