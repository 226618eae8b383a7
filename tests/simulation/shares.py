"""Worlds outside pytest: a server of their own, or several processes that share the seeds out."""

import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import django
import psycopg

from tests.servers import TestServers
from tests.simulation.played import Played

_OBJECTS_BETWEEN_COLLECTIONS = 100_000


def played_here(seeds: range, *, say: Callable[[str], None], trace: bool = False) -> Played:
    """Start a server, migrate, live through the worlds, and stop it."""
    servers = TestServers()
    os.environ.update(servers.environment())
    django.setup()
    from tests.flush import Flush
    from tests.migrated import migrate
    from tests.simulation import reach
    from tests.simulation.playing import play
    from tests.simulation.stage import stage

    try:
        migrate(servers)
        with closing(psycopg.connect(servers.url("postgres"), autocommit=True)) as superuser:
            flush = Flush(superuser)
            _collect_rarely()
            with stage(flush=flush, superuser=superuser, url=servers.url("holdfast_app")) as made:
                played = play(made, seeds, say=say, trace=trace)
        played.missing = reach.missing(played.reach)
        return played
    finally:
        servers.stop()


def _collect_rarely() -> None:
    """What was imported stays; a world leaves little in circles behind, and looking for it took a tenth of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def played_in_shares(seeds: range, processes: int, *, say: Callable[[str], None]) -> Played:
    """Have each process live through every so-many-th stretch of the seeds; put together what they report."""
    length = -(-len(seeds) // processes)
    with tempfile.TemporaryDirectory() as folder:
        shares = []
        for number, start in enumerate(range(0, len(seeds), length)):
            share = seeds[start : start + length]
            report = Path(folder) / f"{number}.json"
            command = [sys.executable, "-m", "tests.simulation", f"{share[0]}-{share[-1]}", "--report", str(report)]
            shares.append((subprocess.Popen(command), share, report))
        total = Played()
        for process, share, report in shares:
            if process.wait() != 0:
                say(f"[red]the process of seeds {share[0]}-{share[-1]} ended with {process.returncode}[/]")
                total.failed += [share[0]]
            else:
                total.add(Played.read(report))
    total.missing = reach_of(total)
    return total


def reach_of(played: Played) -> list[str]:
    """Return what they have not met between them."""
    _know_the_machines()
    from tests.simulation import reach

    return reach.missing(played.reach)


def counts_of(played: Played) -> list[tuple[int, str]]:
    """Return how often they met each thing that has to be met, the rarest first."""
    _know_the_machines()
    from tests.simulation import reach

    return reach.counts(played.reach)


def _know_the_machines() -> None:
    """The machines are named without any server."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.static_settings")
    django.setup()
