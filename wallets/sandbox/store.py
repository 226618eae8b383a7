"""What the sandbox remembers, in one SQLite file: a killed process forgets nothing that it answered."""

import sqlite3
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from wallets.sandbox.database import Database
from wallets.sandbox.records import LoggedRequest, LoggedWebhook, News, Operation

_SCHEMA: Final = Path(__file__).with_name("schema.sql")
_LOGS: Final = {
    "operations": "key",
    "requests": "key",
    "webhooks": "name",
    "news": "key",
    "payments": "key",
    "bank_news": "key",
}
MOST_ROWS: Final = 10_000


class Store(Database):
    def __init__(self, path: Path | str) -> None:
        super().__init__(path, schema=_SCHEMA)

    def run(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Run one statement of another part of the store, within its transaction."""
        return self._connection.execute(statement, values)

    # --- the wallet -----------------------------------------------------------------------------------

    def settle_due(self, now: int) -> None:
        """End what was pending and whose time has come."""
        self._connection.execute(
            "UPDATE operations SET status = then_status,"
            " applied_at = CASE then_status WHEN 'confirmed' THEN pending_until END"
            " WHERE status = 'pending' AND pending_until <= ?",
            (now,),
        )

    def operation(self, key: str) -> Operation | None:
        row = self._connection.execute("SELECT * FROM operations WHERE key = ?", (key,)).fetchone()
        return _operation(row) if row is not None else None

    def operations_of(self, reference: str) -> list[Operation]:
        """Return the operations of one order or return, oldest first; a reference has a handful."""
        rows = self._connection.execute(
            "SELECT * FROM operations WHERE reference = ? ORDER BY id LIMIT 100", (reference,)
        )
        return [_operation(row) for row in rows]

    def add_operation(self, operation: Operation) -> None:
        self._connection.execute(_insert("operations", Operation), _values(operation))

    def log_request(self, request: LoggedRequest) -> None:
        self._connection.execute(_insert("requests", LoggedRequest), _values(request))

    # --- what it tells ------------------------------------------------------------------------------------

    def inbox(self) -> tuple[str, str] | None:
        """Return where events go (URL and secret), if anywhere."""
        row = self._connection.execute("SELECT url, secret FROM inbox").fetchone()
        return (row["url"], row["secret"]) if row is not None else None

    def set_inbox(self, url: str, secret: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO inbox VALUES (1, ?, ?)", (url, secret))

    def add_news(self, event_id: str, key: str, status: str, due_at: int) -> None:
        self._connection.execute(
            "INSERT INTO news (event_id, key, status, due_at) VALUES (?, ?, ?, ?)", (event_id, key, status, due_at)
        )

    def due_news(self, now: int) -> list[News]:
        """Return the events whose time has come, in order; a handful at a time."""
        rows = self._connection.execute(
            "SELECT id, event_id, key, status, tries FROM news WHERE answered IS NULL AND due_at <= ?"
            " ORDER BY due_at, id LIMIT 20",
            (now,),
        )
        return [News(**dict(row)) for row in rows]

    # --- the receiver ---------------------------------------------------------------------------------

    def log_webhook(self, webhook: LoggedWebhook) -> None:
        self._connection.execute(_insert("webhooks", LoggedWebhook), _values(webhook))

    def arrivals(self, name: str, webhook_id: str) -> int:
        """Count the deliveries of one event so far."""
        row = self._connection.execute(
            "SELECT count(*) FROM webhooks WHERE name = ? AND webhook_id = ?", (name, webhook_id)
        ).fetchone()
        return int(row[0])

    # --- what it was told -----------------------------------------------------------------------------

    def secrets(self, purpose: str) -> list[str]:
        rows = self._connection.execute("SELECT secret FROM secrets WHERE purpose = ? ORDER BY rowid", (purpose,))
        return [row["secret"] for row in rows]

    def add_secret(self, purpose: str, secret: str) -> None:
        self._connection.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (purpose, secret))

    def forget_secrets(self, purpose: str) -> None:
        self._connection.execute("DELETE FROM secrets WHERE purpose = ?", (purpose,))

    def add_plan(self, question: str, prefix: str, fault: str, times: int | None) -> None:
        self._connection.execute(
            "INSERT INTO plans (question, prefix, fault, times) VALUES (?, ?, ?, ?)",
            (question, prefix, fault, times),
        )

    def take_plan(self, question: str, subject: str) -> str | None:
        """Return the oldest plan whose prefix the subject has, and count it off."""
        row = self._connection.execute(
            "SELECT id, fault, times FROM plans WHERE question = ? AND substr(?, 1, length(prefix)) = prefix"
            " AND (times IS NULL OR times > 0) ORDER BY id LIMIT 1",
            (question, subject),
        ).fetchone()
        if row is None:
            return None
        if row["times"] is not None:
            self._connection.execute("UPDATE plans SET times = times - 1 WHERE id = ?", (row["id"],))
        return str(row["fault"])

    def reset(self) -> None:
        """Forget every plan, sight and secret. What happened stays."""
        for table in ("plans", "sights", "secrets", "inbox", "bank_inbox"):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 (one of five literals)

    def advance(self, microseconds: int) -> None:
        """Bring forward what waits for its time, as if so much time had gone by."""
        self._connection.execute(
            "UPDATE operations SET pending_until = pending_until - ? WHERE status = 'pending'", (microseconds,)
        )
        self._connection.execute("UPDATE news SET due_at = due_at - ? WHERE answered IS NULL", (microseconds,))
        self._connection.execute("UPDATE sights SET until = until - ? WHERE until IS NOT NULL", (microseconds,))
        self._connection.execute(
            "UPDATE payments SET pending_until = pending_until - ? WHERE status = 'pending'", (microseconds,)
        )
        self._connection.execute(
            "UPDATE payments SET returns_at = returns_at - ? WHERE returns_at IS NOT NULL", (microseconds,)
        )
        self._connection.execute("UPDATE bank_news SET due_at = due_at - ? WHERE answered IS NULL", (microseconds,))

    # --- inspection -----------------------------------------------------------------------------------

    def page(self, log: str, *, prefix: str, after: int, limit: int) -> list[dict[str, object]]:
        """Return rows of a log in order, those whose key (a webhook: name) begins with the prefix."""
        column = _LOGS[log]
        with self._lock:
            rows = self._connection.execute(
                f"SELECT * FROM {log} WHERE id > ? AND substr({column}, 1, length(?)) = ?"  # noqa: S608 (from _LOGS)
                " ORDER BY id LIMIT ?",
                (after, prefix, prefix, min(limit, MOST_ROWS)),
            ).fetchall()
        return [dict(row) for row in rows]

    def named(self, log: str, *, names: Sequence[str]) -> list[dict[str, object]]:
        """Return the rows of a log with exactly these keys (a webhook: names), in order."""
        marks = ", ".join("?" * len(names))
        with self._lock:
            rows = self._connection.execute(
                f"SELECT * FROM {log} WHERE {_LOGS[log]} IN ({marks}) ORDER BY id LIMIT ?",  # noqa: S608 (from _LOGS)
                (*names, MOST_ROWS),
            ).fetchall()
        return [dict(row) for row in rows]

    def latest(self, log: str, *, limit: int, prefix: str = "") -> list[dict[str, object]]:
        """Return the newest rows of a log, newest first, those whose key (a webhook: name) begins with the prefix."""
        column = _LOGS[log]
        with self._lock:
            rows = self._connection.execute(
                f"SELECT * FROM {log} WHERE substr({column}, 1, length(?)) = ?"  # noqa: S608 (from _LOGS)
                " ORDER BY id DESC LIMIT ?",
                (prefix, prefix, limit),
            ).fetchall()
        return [dict(row) for row in rows]

    def count(self, log: str) -> int:
        assert log in _LOGS
        with self._lock:
            return int(self._connection.execute(f"SELECT count(*) FROM {log}").fetchone()[0])  # noqa: S608


def _operation(row: sqlite3.Row) -> Operation:
    return Operation(**{name: row[name] for name in Operation.__slots__})


def _values(record: Operation | LoggedRequest | LoggedWebhook) -> list[object]:
    return [getattr(record, name) for name in record.__slots__]


@cache
def _insert(table: str, record: type) -> str:
    names: Sequence[str] = record.__slots__  # type: ignore[attr-defined] # the records are slotted
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 (names from the code)
