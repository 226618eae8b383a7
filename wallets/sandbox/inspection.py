"""What the sandbox believes and what it was asked, for people and tests to read. Secrets are never shown."""

from html import escape
from typing import Final

from wallets.sandbox import clock
from wallets.sandbox.clock import Clock, microseconds
from wallets.sandbox.messages import Answer, Request, answered, refused
from wallets.sandbox.payments import Payments
from wallets.sandbox.store import MOST_ROWS, Store

LOGS: Final = ("operations", "payments", "requests", "webhooks", "news", "bank_news")
_PAGE_ROWS: Final = 50
_USUAL_ROWS: Final = 1_000
_MOST_NAMES: Final = 100
_TIMES: Final = frozenset({"asked_at", "applied_at", "pending_until", "received_at", "due_at", "returns_at"})
_HIDDEN: Final = frozenset({"digest", "body", "then_status", "pending_until", "path"})

_MARKS: Final = {
    "confirmed": "confirmed",
    "settled": "confirmed",
    "rejected": "rejected",
    "returned": "rejected",
    "pending": "pending",
}

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Holdfast sandbox</title><style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2rem; color: #1c1c28; }}
table {{ border-collapse: collapse; margin-bottom: 2rem; }}
th, td {{ text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #dddde4; white-space: nowrap; }}
th {{ font-weight: 600; }}
.confirmed {{ color: #0a7a3d; }} .rejected {{ color: #b00020; }} .pending {{ color: #8a5a00; }}
</style></head><body><h1>Sandbox</h1>
<p>What the operator's side and the bank believe. As JSON: <a href="/inspect/operations">operations</a>,
<a href="/inspect/payments">payments</a>, <a href="/inspect/requests">requests</a>,
<a href="/inspect/webhooks">webhooks</a>, <a href="/inspect/news">news</a>, <a href="/inspect/bank_news">bank news</a>
(<code>?prefix=</code>, <code>?after=</code>, <code>?limit=</code>).</p>
{tables}</body></html>
"""


class Inspection:
    """JSON pages of each log in order, and one page for people with the newest rows."""

    def __init__(self, store: Store, wall: Clock) -> None:
        self._store = store
        self._clock = wall

    def log(self, name: str, request: Request) -> Answer:
        """Answer GET /inspect/{log}?prefix=&after=&limit=: rows in order, `next` to go on after.

        `keys=a,b` gives the rows of exactly these, `newest=true` the newest first; neither goes on.
        """
        if name not in LOGS:
            return refused(404, "no_such_page", f"Look at one of {', '.join(LOGS)}.")
        after, limit = request.query.get("after", "0"), request.query.get("limit", str(_USUAL_ROWS))
        if not _is_count(after) or not _is_count(limit) or not 0 < int(limit) <= MOST_ROWS:
            return refused(400, "malformed", f"after is a number, limit one from 1 to {MOST_ROWS}.")
        self._settle()
        if keys := request.query.get("keys"):
            names = keys.split(",")
            if len(names) > _MOST_NAMES:
                return refused(400, "malformed", f"At most {_MOST_NAMES} keys.")
            return answered(200, {name: [_shown(row) for row in self._store.named(name, names=names)], "next": None})
        if request.query.get("newest") == "true":
            newest = self._store.latest(name, limit=int(limit), prefix=request.query.get("prefix", ""))
            return answered(200, {name: [_shown(row) for row in newest], "next": None})
        rows = self._store.page(name, prefix=request.query.get("prefix", ""), after=int(after), limit=int(limit))
        full = len(rows) == int(limit)
        return answered(200, {name: [_shown(row) for row in rows], "next": rows[-1]["id"] if full else None})

    def page(self) -> Answer:
        """Answer GET / with the newest rows of each log."""
        self._settle()
        tables = "".join(self._table(name) for name in LOGS)
        return Answer(200, _PAGE.format(tables=tables).encode(), content_type="text/html; charset=utf-8")

    def _settle(self) -> None:
        with self._store.transaction():
            self._store.settle_due(microseconds(self._clock.now()))
            Payments(self._store).settle_due(microseconds(self._clock.now()))

    def _table(self, name: str) -> str:
        rows = [_shown(row) for row in self._store.latest(name, limit=_PAGE_ROWS)]
        title = f"<h2>{name.capitalize().replace('_', ' ')} ({self._store.count(name)})</h2>"
        if not rows:
            return title + "<p>None yet.</p>"
        columns = [column for column in rows[0] if column not in _HIDDEN]
        head = "".join(f"<th>{column}</th>" for column in columns)
        lines = "".join("<tr>" + "".join(_cell(row[column]) for column in columns) + "</tr>\n" for row in rows)
        return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _shown(row: dict[str, object]) -> dict[str, object]:
    """Write the instants of a row as RFC 3339."""
    return {
        name: clock.text(value) if name in _TIMES and isinstance(value, int) else value for name, value in row.items()
    }


def _cell(value: object) -> str:
    text = escape("" if value is None else str(value))
    mark = f' class="{_MARKS[text]}"' if text in _MARKS else ""
    return f"<td{mark}>{text}</td>"


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15
