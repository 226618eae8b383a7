"""What the venue believes and what it was asked, for people and tests to read. Secrets are never shown."""

from html import escape
from typing import Final

from orders.sandbox.store import LOGS, MOST_ROWS, Store
from orders.sandbox.venue import Venue
from wallets.sandbox import clock
from wallets.sandbox.messages import Answer, Request, answered, refused

_PAGE_ROWS: Final = 50
_USUAL_ROWS: Final = 1_000
_TIMES: Final = frozenset({"asked_at", "pending_until", "received_at", "due_at", "made_at", "changed_at"})
_HIDDEN: Final = frozenset({"digest", "body", "then_status", "pending_until", "path"})
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Holdfast sandbox: the venue</title><style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2rem; color: #1c1c28; }}
table {{ border-collapse: collapse; margin-bottom: 2rem; }}
th, td {{ text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #dddde4; white-space: nowrap; }}
</style></head><body><h1>Sandbox: the venue</h1>
<p>What the venue believes. As JSON: {links} (<code>?prefix=</code>, <code>?after=</code>, <code>?limit=</code>).</p>
{tables}</body></html>
"""


class Inspection:
    """JSON pages of each log in order, and one page for people with the newest rows."""

    def __init__(self, store: Store, venue: Venue) -> None:
        self._store = store
        self._venue = venue

    def log(self, name: str, request: Request) -> Answer:
        """Answer GET /inspect/{log}?prefix=&after=&limit=: rows in order, `next` to go on after."""
        if name not in LOGS:
            return refused(404, "no_such_page", f"Look at one of {', '.join(LOGS)}.")
        after, limit = request.query.get("after", "0"), request.query.get("limit", str(_USUAL_ROWS))
        if not _is_count(after) or not _is_count(limit) or not 0 < int(limit) <= MOST_ROWS:
            return refused(400, "malformed", f"after is a number, limit one from 1 to {MOST_ROWS}.")
        with self._store.transaction():
            self._venue.settle_due()
            rows = self._store.page(name, prefix=request.query.get("prefix", ""), after=int(after), limit=int(limit))
        full = len(rows) == int(limit)
        return answered(200, {name: [_shown(row) for row in rows], "next": rows[-1]["id"] if full else None})

    def page(self) -> Answer:
        """Answer GET / with the newest rows of each log."""
        with self._store.transaction():
            self._venue.settle_due()
            tables = "".join(_table(name, self._store.latest(name, limit=_PAGE_ROWS)) for name in LOGS)
        links = ", ".join(f'<a href="/inspect/{name}">{name}</a>' for name in LOGS)
        return Answer(200, _PAGE.format(links=links, tables=tables).encode(), content_type="text/html; charset=utf-8")


def _table(name: str, rows: list[dict[str, object]]) -> str:
    title = f"<h2>{name.capitalize()}</h2>"
    if not rows:
        return title + "<p>None yet.</p>"
    shown = [_shown(row) for row in rows]
    columns = [column for column in shown[0] if column not in _HIDDEN]
    head = "".join(f"<th>{column}</th>" for column in columns)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(str(row[column] or ''))}</td>" for column in columns) + "</tr>\n"
        for row in shown
    )
    return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _shown(row: dict[str, object]) -> dict[str, object]:
    """Write the instants of a row as RFC 3339."""
    return {
        name: clock.text(value) if name in _TIMES and isinstance(value, int) else value for name, value in row.items()
    }


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15
