"""The rows that the bank keeps: payments by key, and the events that it sends about them."""

import hashlib
from dataclasses import dataclass
from typing import Final

from wallets.sandbox.store import Store

_DAY: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment as the bank believes it. `amount` is text in major units."""

    key: str
    channel: str
    reference: str
    recipient: str
    currency: str
    amount: str
    digest: str
    status: str
    code: str
    response_id: str
    settlement_date: str
    asked_at: int
    applied_at: int | None = None
    pending_until: int | None = None
    then_status: str | None = None
    returns_at: int | None = None

    @property
    def return_id(self) -> str:
        """The bank's id of its coming back: the same wherever it is told."""
        return "brt_" + hashlib.sha256(self.key.encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class BankNews:
    """One event that waits to be sent. `event_id` is the webhook-id; `kind` payout.updated or payout.returned."""

    id: int
    event_id: str
    key: str
    kind: str
    status: str
    tries: int


class Payments:
    """The bank's part of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def settle_due(self, now: int) -> None:
        """End what was pending, and return what comes back, once its time has come."""
        self._store.run(
            "UPDATE payments SET status = then_status,"
            " applied_at = CASE then_status WHEN 'settled' THEN pending_until END"
            " WHERE status = 'pending' AND pending_until <= ?",
            now,
        )
        self._store.run(
            "UPDATE payments SET status = 'returned' WHERE status = 'settled' AND returns_at IS NOT NULL"
            " AND returns_at <= ?",
            now,
        )

    def payment(self, key: str) -> Payment | None:
        row = self._store.run("SELECT * FROM payments WHERE key = ?", key).fetchone()
        return Payment(**{name: row[name] for name in Payment.__slots__}) if row is not None else None

    def add(self, payment: Payment) -> None:
        names = Payment.__slots__
        marks = ", ".join("?" * len(names))
        self._store.run(
            f"INSERT INTO payments ({', '.join(names)}) VALUES ({marks})",  # noqa: S608 (names from the code)
            *[getattr(payment, name) for name in names],
        )

    def inbox(self) -> tuple[str, str] | None:
        """Return where the bank's events go (URL and secret), if anywhere."""
        row = self._store.run("SELECT url, secret FROM bank_inbox").fetchone()
        return (row["url"], row["secret"]) if row is not None else None

    def set_inbox(self, url: str, secret: str) -> None:
        self._store.run("INSERT OR REPLACE INTO bank_inbox VALUES (1, ?, ?)", url, secret)

    def add_news(self, event_id: str, key: str, kind: str, status: str, due_at: int) -> None:
        self._store.run(
            "INSERT INTO bank_news (event_id, key, kind, status, due_at) VALUES (?, ?, ?, ?, ?)",
            event_id,
            key,
            kind,
            status,
            due_at,
        )

    def due_news(self, now: int) -> list[BankNews]:
        """Return the events whose time has come, in order; a handful at a time."""
        rows = self._store.run(
            "SELECT id, event_id, key, kind, status, tries FROM bank_news WHERE answered IS NULL AND due_at <= ?"
            " ORDER BY due_at, id LIMIT 20",
            now,
        )
        return [BankNews(**dict(row)) for row in rows]

    def news_told(self, number: int, *, answered: int | None, again_at: int) -> None:
        """Write down how a sending was answered, or when it is tried again."""
        self._store.run(
            "UPDATE bank_news SET tries = tries + 1, answered = ?, due_at = ? WHERE id = ?", answered, again_at, number
        )


def next_day(now: int) -> int:
    return now + _DAY
