"""One SQLite file of a sandbox's: its transactions, and what every counterparty that it plays remembers alike."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock


class Database:
    """One connection, used by one thread at a time. A killed process forgets nothing that it answered.

    The schema has the tables `requests`, `sights` and `news`.
    """

    def __init__(self, path: Path | str, *, schema: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._lock = RLock()
        self._connection.execute("PRAGMA journal_mode = WAL")
        # Safe against a killed process; a loss of power may cost the last answers.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA busy_timeout = 5000")
        self._connection.executescript(f"BEGIN; {schema.read_text()} COMMIT;")

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything in the block, or nothing of it."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def faulted_before(self, key: str) -> bool:
        """Say whether a fault already befell an ask of this key."""
        found = self._connection.execute(
            "SELECT 1 FROM requests WHERE key = ? AND method = 'POST' AND fault <> '' LIMIT 1", (key,)
        )
        return found.fetchone() is not None

    def sight(self, key: str, now: int) -> str | None:
        """Return how a fault lets lookups of this key go, if one does."""
        row = self._connection.execute(
            "SELECT fault FROM sights WHERE key = ? AND (until IS NULL OR until > ?)", (key, now)
        ).fetchone()
        return row["fault"] if row is not None else None

    def set_sight(self, key: str, fault: str, until: int | None) -> None:
        self._connection.execute(
            "INSERT INTO sights (key, fault, until) VALUES (?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET fault = excluded.fault, until = excluded.until",
            (key, fault, until),
        )

    def news_told(self, number: int, *, answered: int | None, again_at: int) -> None:
        """Write down how a sending was answered, or when it is tried again."""
        self._connection.execute(
            "UPDATE news SET tries = tries + 1, answered = ?, due_at = ? WHERE id = ?", (answered, again_at, number)
        )
