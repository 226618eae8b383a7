"""What the venue remembers, in one SQLite file: a killed process forgets nothing that it answered."""

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from orders.sandbox.records import Event, Operation, Terms
from wallets.sandbox.database import Database
from wallets.sandbox.messages import Request

_SCHEMA: Final = Path(__file__).with_name("schema.sql")
LOGS: Final = {
    "quotes": "quote_id",
    "trades": "transact_id",
    "operations": "key",
    "requests": "key",
    "news": "transact_id",
}
MOST_ROWS: Final = 10_000


class Store(Database):
    def __init__(self, path: Path | str) -> None:
        super().__init__(path, schema=_SCHEMA)

    # --- quotes, trades, operations -------------------------------------------------------------------------

    def add_quote(self, quote_id: str, pool: str, side: str, terms: Terms, *, now: int) -> None:
        self._insert("quotes", {"quote_id": quote_id, "pool": pool, "side": side, **asdict(terms), "made_at": now})

    def quoted(self, quote_id: str) -> Terms | None:
        row = self._connection.execute("SELECT * FROM quotes WHERE quote_id = ?", (quote_id,)).fetchone()
        return _terms(row) if row is not None else None

    def quotes_made(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM quotes").fetchone()[0])

    def state_of(self, transact_id: str) -> str | None:
        row = self._connection.execute("SELECT state FROM trades WHERE transact_id = ?", (transact_id,)).fetchone()
        return str(row["state"]) if row is not None else None

    def put_trade(self, transact_id: str, quote_id: str, state: str, terms: Terms, *, now: int) -> None:
        self._connection.execute(
            "INSERT INTO trades (transact_id, quote_id, state, taken_asset, taken_amount, given_asset, given_amount,"
            " changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (transact_id) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at",
            (transact_id, quote_id, state, *asdict(terms).values(), now),
        )

    def released_before(self, quote_id: str, *, besides: str) -> bool:
        """Say whether another trade on this quote was released."""
        found = self._connection.execute(
            "SELECT 1 FROM trades WHERE quote_id = ? AND transact_id <> ? AND state = 'released' LIMIT 1",
            (quote_id, besides),
        )
        return found.fetchone() is not None

    def operation(self, key: str) -> Operation | None:
        row = self._connection.execute("SELECT * FROM operations WHERE key = ?", (key,)).fetchone()
        return _operation(row) if row is not None else None

    def add_operation(self, made: Operation) -> None:
        values = asdict(made)
        self._insert("operations", {**values.pop("terms"), **values})

    def ended_by(self, now: int) -> list[Operation]:
        """End what was pending and whose time has come, and return it."""
        rows = self._connection.execute(
            "UPDATE operations SET status = then_status WHERE status = 'pending' AND pending_until <= ? RETURNING *",
            (now,),
        ).fetchall()
        return [_operation(row) for row in rows]

    def log_request(self, values: Mapping[str, object]) -> None:
        self._insert("requests", values)

    def asked(self, key: str) -> Request:
        """Return the ask under which an operation was accepted."""
        row = self._connection.execute(
            "SELECT * FROM requests WHERE key = ? AND method = 'POST' AND did IN ('confirmed', 'pending') ORDER BY id LIMIT 1",
            (key,),
        ).fetchone()
        return Request("POST", row["path"], {"not-after": row["not_after"]}, row["body"].encode())

    def fault_of(self, key: str) -> str:
        """Return the fault that befell the first ask of a key, or ""."""
        row = self._connection.execute(
            "SELECT fault FROM requests WHERE key = ? AND method = 'POST' ORDER BY id LIMIT 1", (key,)
        ).fetchone()
        return str(row["fault"]) if row is not None else ""

    # --- what it tells ----------------------------------------------------------------------------------------

    def inbox(self, pool: str) -> tuple[str, str] | None:
        """Return where a pool's events go (URL and secret), if anywhere."""
        row = self._connection.execute("SELECT url, secret FROM inbox WHERE pool = ?", (pool,)).fetchone()
        return (row["url"], row["secret"]) if row is not None else None

    def set_inbox(self, pool: str, url: str, secret: str) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO inbox (pool, url, secret) VALUES (?, ?, ?)", (pool, url, secret)
        )

    def add_news(self, event: Mapping[str, object]) -> None:
        self._insert("news", event)

    def due_news(self, now: int) -> list[Event]:
        rows = self._connection.execute(
            "SELECT id, event_id, pool, transact_id, quote_id, status, tries FROM news"
            " WHERE answered IS NULL AND due_at <= ? ORDER BY due_at, id LIMIT 20",
            (now,),
        )
        return [Event(**row) for row in rows]

    # --- how it is told to behave ------------------------------------------------------------------------------

    def secrets(self) -> list[str]:
        return [row["secret"] for row in self._connection.execute("SELECT secret FROM secrets")]

    def add_secret(self, secret: str, *, only: bool) -> None:
        if only:
            self._connection.execute("DELETE FROM secrets")
        self._connection.execute("INSERT OR IGNORE INTO secrets (secret) VALUES (?)", (secret,))

    def add_plan(self, question: str, prefix: str, fault: str, times: int | None) -> None:
        self._insert("plans", {"question": question, "prefix": prefix, "fault": fault, "times": times})

    def take_plan(self, question: str, key: str) -> str | None:
        """Return the newest planned fault for a key, and count it."""
        row = self._connection.execute(
            "SELECT id, fault FROM plans WHERE question = ? AND substr(?, 1, length(prefix)) = prefix"
            " AND (times IS NULL OR times > 0) ORDER BY id DESC LIMIT 1",
            (question, key),
        ).fetchone()
        if row is None:
            return None
        self._connection.execute("UPDATE plans SET times = times - 1 WHERE id = ? AND times IS NOT NULL", (row["id"],))
        return str(row["fault"])

    def advance(self, by: int) -> None:
        """Bring forward what waits for its time."""
        self._connection.execute(
            "UPDATE operations SET pending_until = pending_until - ? WHERE status = 'pending'", (by,)
        )
        self._connection.execute("UPDATE sights SET until = until - ? WHERE until IS NOT NULL", (by,))
        self._connection.execute("UPDATE news SET due_at = due_at - ? WHERE answered IS NULL", (by,))

    def reset(self) -> None:
        for table in ("plans", "secrets", "inbox", "sights"):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608  (names of ours)

    # --- looking -------------------------------------------------------------------------------------------------

    def page(self, log: str, *, prefix: str, after: int, limit: int) -> list[dict[str, object]]:
        """Return rows of a log in order, of keys with a prefix."""
        column = LOGS[log]
        rows = self._connection.execute(
            f"SELECT * FROM {log} WHERE id > ? AND substr({column}, 1, length(?)) = ? ORDER BY id LIMIT ?",  # noqa: S608
            (after, prefix, prefix, min(limit, MOST_ROWS)),
        )
        return [dict(row) for row in rows]

    def latest(self, log: str, *, limit: int) -> list[dict[str, object]]:
        rows = self._connection.execute(f"SELECT * FROM {log} ORDER BY id DESC LIMIT ?", (limit,))  # noqa: S608
        return [dict(row) for row in rows]

    def _insert(self, table: str, values: Mapping[str, object]) -> None:
        columns, places = ", ".join(values), ", ".join("?" for _ in values)
        self._connection.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({places})",  # noqa: S608  (names of ours)
            tuple(values.values()),
        )


def _terms(row: sqlite3.Row) -> Terms:
    return Terms(row["taken_asset"], row["taken_amount"], row["given_asset"], row["given_amount"])


def _operation(row: sqlite3.Row) -> Operation:
    return Operation(
        key=row["key"],
        operation=row["operation"],
        transact_id=row["transact_id"],
        terms=_terms(row),
        digest=row["digest"],
        status=row["status"],
        code=row["code"],
        venue_ref=row["venue_ref"],
        asked_at=row["asked_at"],
        pending_until=row["pending_until"],
        then_status=row["then_status"],
    )
