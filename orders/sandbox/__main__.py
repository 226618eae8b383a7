"""`python -m orders.sandbox --port 8101 --store var/sandbox`"""

import argparse
import asyncio
import signal
from pathlib import Path

from orders.sandbox.server import serve


def main() -> None:
    asked = _arguments()
    try:
        asyncio.run(_run(asked))
    except OSError as problem:
        raise SystemExit(f"The venue cannot listen on {asked.host}:{asked.port}: {problem}") from None


async def _run(asked: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(
        store_place=asked.store,
        host=asked.host,
        port=asked.port,
        stop=stop,
        listening=lambda port: print(f"The venue listens on http://{asked.host}:{port}", flush=True),
        pending_seconds=asked.pending_seconds,
        hidden_seconds=asked.hidden_seconds,
        returned_seconds=asked.returned_seconds,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m orders.sandbox", description="The built-in venue.")
    parser.add_argument("--port", type=int, default=8101, help="0 picks a free one and prints it")
    parser.add_argument("--host", default="127.0.0.1", help="it has no log-in: keep it on loopback")
    parser.add_argument("--store", type=Path, default=Path("var/sandbox"), help="a file or a folder")
    parser.add_argument("--pending-seconds", type=float, default=5, help="how long a pending operation works")
    parser.add_argument("--hidden-seconds", type=float, default=5, help="how long not-found-for-a-while hides")
    parser.add_argument("--returned-seconds", type=float, default=86_400, help="after how long a trade is returned")
    return parser.parse_args()


main()
