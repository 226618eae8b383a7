"""What a person reads after a close: tables for the terminal."""

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ledger import assets
from reconciliation.check_registry import every_check
from reconciliation.close_runs import Report


def print_summary(report: Report, console: Console) -> None:
    """Print counts per kind, breaks per check, cases, zero-sum per asset, and where the files lie."""
    console.print(Group(*_parts(report)))


def _parts(report: Report) -> list[RenderableType]:
    provisional = " (provisional: the day is not over)" if report.close.provisional else ""
    window = report.window
    title = f"Close of {window.business_date.isoformat()}, {window.environment} book{provisional}"
    cases = report.cases
    return [
        Text(title, style="bold"),
        _pairs("Records", [(kind, str(count)) for kind, count in report.records.items()]),
        _pairs("Breaks", [(check.title, _count(report, check.name)) for check in every_check()]),
        _pairs(
            "Exception cases",
            [
                ("opened", str(cases.opened)),
                ("reopened", str(cases.reopened)),
                ("refreshed", str(cases.refreshed)),
                ("healed", str(cases.healed)),
                ("standing", str(cases.standing)),
            ],
        ),
        _pairs(
            "Status reads and flight",
            [
                ("asked", str(report.status_reads.asked)),
                ("told", str(report.status_reads.resolved)),
                ("payouts in flight", str(report.in_flight)),
            ],
        ),
        _pairs(
            "Zero-sum per asset",
            [(asset, assets.text(net, asset)) for asset, net in report.zero_sum.items()] or [("no postings", "")],
        ),
        Text(f"Files: {report.folder}", overflow="fold"),
    ]


def _count(report: Report, check: str) -> str:
    return f"{report.breaks.get(check, 0)}{' (cut off)' if check in report.cut_off else ''}"


def _pairs(title: str, rows: list[tuple[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(min_width=24)
    table.add_column(justify="right")
    for left, right in rows:
        table.add_row(left, right)
    return table
