"""What stands in a book: its active chart, mappings and templates, and whether they and its accounts agree."""

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ledger.books import number_of
from ledger.chart import bundled, drift, mappings
from ledger.chart.drift import Drift
from ledger.chart.entries import Chart, Entry, from_rows, is_at
from ledger.chart.mappings import Mapping
from ledger.controls import prepared
from ledger.models.chart import ChartVersion, GLMapping, PostingTemplate, Version
from ledger.models.journal import Account

_ACTIVE: Final = "SELECT id FROM ledger_chartversion WHERE environment = %s AND state = 'active'"

SHOWN: Final = 200
"""Accounts that a drift report names, at most."""


class NoChart(LookupError):
    """The book has no active chart: `manage.py chart restore` loads the baseline."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The active versions of a book."""

    chart: Chart
    mappings: AnyMapping[str, Mapping]
    sources: AnyMapping[str, str]


def chart_of(environment: str) -> Chart:
    """Return the active chart. Raises NoChart."""
    rows = (
        ChartVersion.objects.filter(environment=environment, state=Version.State.ACTIVE)
        .values_list("content", flat=True)
        .first()
    )
    if rows is None:
        raise NoChart(environment)
    return from_rows(rows)


def active_chart(environment: str) -> Chart:
    """Return the active chart, or the bundled one where none was loaded yet; read anew only when another is active."""
    found = prepared.rows(_ACTIVE, [environment])
    return _chart_numbered(found[0][0]) if found else bundled.chart()


@lru_cache(maxsize=8)
def _chart_numbered(number: int) -> Chart:
    return from_rows(ChartVersion.objects.values_list("content", flat=True).get(pk=number))


def standing(environment: str) -> Standing:
    """Return the active versions of a book. Raises NoChart."""
    active = {"environment": environment, "state": Version.State.ACTIVE}
    return Standing(
        chart=chart_of(environment),
        mappings={
            name: mappings.from_content(name, content)
            for name, content in GLMapping.objects.filter(**active).values_list("event_type", "content")
        },
        sources=dict(PostingTemplate.objects.filter(**active).values_list("event_type", "source")),
    )


def find(environment: str) -> list[Drift]:
    """Return every drift of a book: of its active versions, and of its accounts against its chart."""
    try:
        now = standing(environment)
    except NoChart:
        return [Drift("chart", environment, "the book has no active chart")]
    return [
        *drift.find(chart=now.chart, mappings=now.mappings, sources=now.sources),
        *accounts_off(environment, now.chart),
    ]


def accounts_off(environment: str, chart: Chart) -> Iterator[Drift]:
    """Yield the accounts that carry something else than a chart says, the first of them."""
    rows = (
        Account.objects.filter(book_id=number_of(environment))
        .order_by("address", "asset")
        .values_list("address", "asset", "account_class", "gl_code", "normal_side", "workflow_view", "balance_rule")
    )
    told = 0
    for address, asset, *carried in rows.iterator(chunk_size=5000):
        fault = _fault(chart.entry_of(address), *carried)
        if fault:
            told += 1
            if told > SHOWN:
                yield Drift("account", environment, f"and more than {SHOWN} others")
                return
            yield Drift("account", f"{address} {asset}", fault)


def _fault(
    entry: Entry | None, account_class: str, gl_code: str, normal_side: str, workflow_view: str, balance_rule: str
) -> str:
    """Say what an account carries otherwise than the chart. One that was opened before its sub-code came keeps its code."""
    if entry is None:
        return f"no pattern of the chart covers it; it carries GL code {gl_code}"
    faults = []
    if not is_at(entry.gl_code, [gl_code]):
        faults.append(f"GL code {gl_code}, the chart says {entry.gl_code}")
    for name, carried, said in (
        ("class", account_class, entry.account_class),
        ("normal side", normal_side, entry.normal_side),
        ("workflow view", workflow_view, entry.workflow_view),
        ("balance rule", balance_rule, entry.balance_rule),
    ):
        if carried != said:
            faults.append(f"{name} {carried}, the chart says {said}")
    return "; ".join(faults)
