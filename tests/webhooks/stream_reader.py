"""Read streams in process: an ASGI call with a reader that takes what it likes, when it likes."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ledger.controls.rest.caller import Caller
from ledger.controls.rest.scopes import Scope
from tests.webhooks.edge import OPERATOR
from wallets import request_log
from webhooks.streams import subjects
from webhooks.streams.application import Application
from webhooks.streams.subjects import Current

PATIENCE = 10.0


@dataclass(frozen=True)
class Event:
    id: str
    topic: str
    message: dict[str, Any]

    @property
    def sequence(self) -> int:
        return int(self.message["data"]["sequence"])


def parse(octets: bytes) -> list[Event]:
    """Return the whole events in a piece of a stream, as the HTML standard reads them."""
    found = []
    for block in octets.decode().split("\n\n"):
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            if name and not line.startswith(":"):
                fields[name] = value
        if "data" in fields:
            found.append(Event(fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found


class Reader:
    """One request. `is_stuck` stops taking what is sent; `hang_up` goes away."""

    def __init__(self, application: Application, path: str, **headers: str) -> None:
        self._gone = asyncio.Event()
        self._moved = asyncio.Condition()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.octets = b""
        self.is_over = False
        scope = {
            "type": "http",
            "method": headers.pop("method", "GET"),
            "path": path,
            "headers": [
                (name.replace("_", "-").encode(), value.encode())
                for name, value in {"authorization": "Bearer mine", **headers}.items()
            ],
        }
        self.task = asyncio.create_task(application(scope, self._receive, self._send))

    def stick(self) -> None:
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def hang_up(self) -> None:
        self._gone.set()

    @property
    def events(self) -> list[Event]:
        return parse(self.octets)

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = json.loads(self.octets)
        return found

    async def until(self, count: int) -> list[Event]:
        """Wait until so many events have come."""
        async with self._moved:
            await asyncio.wait_for(self._moved.wait_for(lambda: len(self.events) >= count), PATIENCE)
        return self.events

    async def until_over(self) -> list[Event]:
        await asyncio.wait_for(asyncio.shield(self.task), PATIENCE)
        assert self.is_over
        return self.events

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._flowing.wait()
        async with self._moved:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                self.octets += message["body"]
                self.is_over = not message["more_body"]
            self._moved.notify_all()


def caller(
    key_id: int = 1, *, operator_id: int = OPERATOR, environment: str = "test", scope: Scope = Scope.READ
) -> Caller:
    return Caller(
        operator_id=operator_id,
        operator_reference="op_x",
        operator_slug="acme",
        is_house=False,
        environment=environment,
        key_id=key_id,
        scopes=frozenset({scope}),
    )


@asynccontextmanager
async def serving(*, callers: Mapping[str, Caller] | None = None) -> AsyncIterator[Application]:
    """Run the application's process part; without callers everybody is the test's operator."""
    application = Application(
        authenticate=lambda header: caller() if callers is None else callers.get(header.removeprefix("Bearer ")),
        note=request_log.write_stream,
    )
    application.start()
    try:
        yield application
    finally:
        await application.stop()


def register_things() -> None:
    """Have recorded events watched as `things`: the newest says the present state, `order.processed` the end."""
    from ledger.models import Event as Recorded

    def find(*, operator_id: int, environment: str, reference: str) -> Current | None:
        mine = Recorded.objects.filter(aggregate=reference, operator_id=operator_id, environment=environment)
        newest = mine.order_by("-sequence").first()
        if newest is None:
            return None
        return Current(topic=newest.topic, payload=newest.payload, sequence=newest.sequence, at=newest.recorded_at)

    subjects.register(subjects.Subject(name="things", find=find, terminal=frozenset({"order.processed"})))
