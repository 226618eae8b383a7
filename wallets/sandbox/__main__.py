"""`python -m wallets.sandbox --port 8100 --store var/sandbox`"""

import argparse
import asyncio
import signal
from pathlib import Path

from wallets.sandbox.server import serve


def main() -> None:
    asked = _arguments()
    try:
        asyncio.run(_run(asked))
    except OSError as problem:
        raise SystemExit(f"The sandbox cannot listen on {asked.host}:{asked.port}: {problem}") from None


async def _run(asked: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(
        store_place=asked.store,
        host=asked.host,
        port=asked.port,
        stop=stop,
        listening=lambda port: print(f"The sandbox listens on http://{asked.host}:{port}", flush=True),
        pending_seconds=asked.pending_seconds,
        hidden_seconds=asked.hidden_seconds,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m wallets.sandbox", description="The built-in counterparties.")
    parser.add_argument("--port", type=int, default=8100, help="0 picks a free one and prints it")
    parser.add_argument("--host", default="127.0.0.1", help="it has no log-in: keep it on loopback")
    parser.add_argument("--store", type=Path, default=Path("var/sandbox"), help="a file or a folder")
    parser.add_argument("--pending-seconds", type=float, default=5, help="how long magic-pending works")
    parser.add_argument("--hidden-seconds", type=float, default=5, help="how long magic-not-found hides")
    return parser.parse_args()


main()
