"""The venue on a port, until it is told to stop."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orders.sandbox import news
from orders.sandbox.routes import Sandbox
from orders.sandbox.store import Store
from wallets.sandbox.clock import SystemClock
from wallets.sandbox.wire import Connection

STORE_NAME: Final = "venue.sqlite3"
_BACKLOG: Final = 512


async def serve(
    *,
    store_place: Path,
    host: str,
    port: int,
    stop: asyncio.Event,
    listening: Callable[[int], None],
    pending_seconds: float,
    hidden_seconds: float,
    returned_seconds: float,
) -> None:
    """Serve until `stop` is set; `listening` is told the port, also when 0 was asked for."""
    store = Store(_store_file(store_place))
    try:
        sandbox = Sandbox(
            store,
            SystemClock(),
            pending_seconds=pending_seconds,
            hidden_seconds=hidden_seconds,
            returned_seconds=returned_seconds,
        )
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(sandbox.answer), host, port, backlog=_BACKLOG
        )
        listening(int(server.sockets[0].getsockname()[1]))
        telling = asyncio.create_task(news.tell_until(stop, sandbox.messenger))
        await stop.wait()
        server.close()
        await telling
    finally:
        store.close()


def _store_file(place: Path) -> Path:
    """Return the store's file for `--store`, which names a file or a folder; folders are made."""
    path = place if place.suffix and not place.is_dir() else place / STORE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
