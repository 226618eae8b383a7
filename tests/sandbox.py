"""The sandbox for tests: real HTTP on a free loopback port, and what the operator's side believes.

    def test_…(sandbox: RunningSandbox) -> None:        # the fixture; OUTBOUND_ALLOW names it
        …
        assert [one["status"] for one in sandbox.operations("ord_1")] == ["confirmed"]

`start_sandbox(folder)` serves from a thread of this process; `start_sandbox_process(folder)` is a process that can
be killed. Both keep their store in the folder, and start again on it.
"""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from wallets.sandbox.server import serve

_PATIENCE: Final = 10
_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass
class RunningSandbox:
    """A sandbox that answers at `url`."""

    url: str
    stop: Callable[[], None]
    process: "subprocess.Popen[str] | None" = None
    _client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self._client = httpx.Client(base_url=self.url, trust_env=False, verify=False, timeout=_PATIENCE)

    @property
    def destination(self) -> tuple[str, int]:
        """Host and port, as OUTBOUND_ALLOW lists them."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def operations(self, prefix: str = "") -> list[dict[str, Any]]:
        """What it believes, oldest first: one row per idempotency key."""
        return self._log("operations", prefix)

    def requests(self, prefix: str = "") -> list[dict[str, Any]]:
        """Every question about money in order, with what was done about it: an append-only log."""
        return self._log("requests", prefix)

    def webhooks(self, prefix: str = "") -> list[dict[str, Any]]:
        """Every delivery that arrived at /webhooks/{name}, in order."""
        return self._log("webhooks", prefix)

    def asked(self, prefix: str = "") -> list[str]:
        """The questions in order as short words: `debit confirmed`, `lookup not_found`, `debit replayed`, …"""
        return [
            f"{'lookup' if row['method'] == 'GET' else row['path'].strip('/')} {row['did']}"
            for row in self.requests(prefix)
        ]

    def applied(self, prefix: str = "") -> list[tuple[str, str]]:
        """What really moved, in order: (operation, amount)."""
        return [(one["operation"], one["amount"]) for one in self.operations(prefix) if one["status"] == "confirmed"]

    def plan(self, question: str, fault: str, *, prefix: str = "", times: int | None = None) -> None:
        """Have a fault befall asks or lookups of keys, or webhooks of names, with a prefix."""
        self.instruct("faults", question=question, fault=fault, prefix=prefix, times=times)

    def wallet_secret(self, secret: str) -> None:
        """Have every question about money need a signature of this secret (or of one registered before)."""
        self.instruct("wallet-secret", secret=secret)

    def advance(self, seconds: int) -> None:
        """Bring forward what waits for its time (pending, hidden)."""
        self.instruct("advance", seconds=seconds)

    def instruct(self, instruction: str, **content: object) -> None:
        answer = self._client.post(f"/admin/{instruction}", json=content)
        assert answer.status_code == 200, answer.text

    def get(self, path: str) -> httpx.Response:
        return self._client.get(path)

    def post(self, path: str, *, content: bytes = b"", headers: dict[str, str] | None = None) -> httpx.Response:
        return self._client.post(path, content=content, headers=headers)

    def _log(self, name: str, prefix: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        after = 0
        while True:
            answer = self._client.get(f"/inspect/{name}", params={"prefix": prefix, "after": after, "limit": 10_000})
            assert answer.status_code == 200, answer.text
            page = answer.json()
            rows += page[name]
            if page["next"] is None:
                return rows
            after = page["next"]


def start_sandbox(
    folder: Path, *, pending_seconds: float = 5, hidden_seconds: float = 5, port: int = 0
) -> RunningSandbox:
    """Start it in a thread of this process; a few milliseconds. `stop()` it."""
    ready = threading.Event()
    ports: list[int] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def listening(opened: int) -> None:
        ports.append(opened)
        ready.set()

    async def run() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        await serve(
            store_place=folder,
            host="127.0.0.1",
            port=port,
            stop=stop,
            listening=listening,
            pending_seconds=pending_seconds,
            hidden_seconds=hidden_seconds,
        )

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="sandbox", daemon=True)
    thread.start()
    assert ready.wait(_PATIENCE), "the sandbox did not start"

    def stop() -> None:
        if thread.is_alive():
            loop, event = loops[0]
            loop.call_soon_threadsafe(event.set)
            thread.join(_PATIENCE)
            assert not thread.is_alive(), "the sandbox did not stop"

    return RunningSandbox(url=f"http://127.0.0.1:{ports[0]}", stop=stop)


def start_sandbox_process(folder: Path, *, port: int = 0) -> RunningSandbox:
    """Start it as a process of its own (`.process`), which may be killed and started again on its folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "wallets.sandbox", "--port", str(port), "--store", str(folder)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    if "http://" not in said:
        process.kill()
        raise AssertionError("the sandbox did not start")

    def stop() -> None:
        if process.poll() is None:
            process.terminate()
        process.wait(_PATIENCE)
        assert process.stdout is not None
        process.stdout.close()

    return RunningSandbox(url=said.rpartition(" ")[2].strip(), stop=stop, process=process)


@contextmanager
def allowed(sandbox: RunningSandbox) -> Iterator[RunningSandbox]:
    """Let outbound calls of the test environment reach this sandbox."""
    from django.test import override_settings

    with override_settings(OUTBOUND_ALLOW=[sandbox.destination], SANDBOX_URL=sandbox.url):
        yield sandbox
