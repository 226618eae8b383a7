"""Questions to the sandbox's wallet without sockets, at an instant that only the test moves."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from wallets.sandbox.messages import Answer, Request
from wallets.sandbox.routes import Sandbox
from wallets.sandbox.store import Store

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class TestClock:
    """Moves only when told to."""

    __test__ = False

    def __init__(self) -> None:
        self.instant = START

    def now(self) -> datetime:
        return self.instant

    def pass_by(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


class Desk:
    """A sandbox in memory and the protocol's questions to it, unsigned."""

    def __init__(self) -> None:
        self.clock = TestClock()
        self.store = Store(":memory:")
        self.sandbox = Sandbox(self.store, self.clock, pending_seconds=5, hidden_seconds=5)

    def ask(
        self,
        user_reference: str = "alice",
        *,
        operation: str = "debit",
        reference: str = "ord_1",
        version: int = 1,
        amount: str = "10.00",
        in_seconds: float = 2,
    ) -> Answer:
        body = {
            "operation": operation,
            "asset": "EUR",
            "amount": amount,
            "user_reference": user_reference,
            "reference": reference,
            "metadata": {},
        }
        headers = {
            "idempotency-key": f"{reference}:{operation}:v{version}",
            "not-after": (self.clock.now() + timedelta(seconds=in_seconds)).isoformat(),
        }
        return self.send("POST", f"/{operation}", json.dumps(body).encode(), headers)

    def look_up(self, key: str = "ord_1:debit:v1") -> Answer:
        return self.send("GET", f"/operations/{key}")

    def send(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        return self.sandbox.answer(Request(method, path, headers or {}, body))

    def instruct(self, instruction: str, **content: object) -> Answer:
        return self.send("POST", f"/admin/{instruction}", json.dumps(content).encode())

    def rows(self, log: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.send("GET", f"/inspect/{log}").body)[log]
        return rows

    def did(self) -> list[str]:
        """What was done about each question, in order."""
        return [row["did"] for row in self.rows("requests")]

    def statuses(self) -> list[str]:
        """The status of every operation that the wallet keeps, in order."""
        return [row["status"] for row in self.rows("operations")]
