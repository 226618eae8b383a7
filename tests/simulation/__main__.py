"""`python -m tests.simulation 1-300`: live through the worlds of these seeds; each failure with what replays it.

`--trace` prints what happened, for one seed.
"""

import argparse
import os
import sys
import time
from contextlib import closing

import django
from rich.console import Console

from tests.servers import TestServers


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("seeds", nargs="?", default="1-300", help="7, or 1-300")
    parser.add_argument("--trace", action="store_true", help="print what happened")
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    servers = TestServers()
    os.environ.update(servers.environment())
    os.environ["LOG_LEVEL"] = os.environ.get("SIMULATION_LOG", "CRITICAL")
    django.setup()
    try:
        return _played(servers, seeds, trace=given.trace)
    finally:
        servers.stop()


def _played(servers: TestServers, seeds: range, *, trace: bool) -> int:
    import psycopg

    from tests.flush import Flush
    from tests.simulation.playing import migrate, play
    from tests.simulation.stage import stage

    console = Console(highlight=False)
    migrate(servers)
    with closing(psycopg.connect(servers.url("postgres"), autocommit=True)) as superuser:
        flush = Flush(superuser)
        with stage(flush=flush, superuser=superuser, url=servers.url("holdfast_app")) as made:
            began = time.monotonic()
            played = play(made, seeds, say=console.print, trace=trace)
    seconds = time.monotonic() - began
    console.print(f"{len(seeds)} worlds, {played.checks} looks at the rules, {seconds:.1f} s")
    for kind, number in sorted(played.reach.things.items()):
        console.print(f"  {kind[0]}: {kind[1]} {number}")
    console.print(f"{len(played.failed)} failed: {played.failed}" if played.failed else "[green]every rule held[/]")
    return 1 if played.failed else 0


if __name__ == "__main__":
    sys.exit(main())
