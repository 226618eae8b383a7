"""What worlds are played on: a migrated database, a flush between them, threads, and a connection that looks on."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any, Final

import psycopg
from django.conf import settings
from django.db import connections
from django.test import override_settings

from ledger.controls import bell
from tests.flush import Flush
from tests.simulation import shifts
from tests.simulation.backdrop import Backdrop

_MOST_PROCESSES: Final = 16


class Stage:
    """`looking` is a connection of the application's role, in autocommit, that no process uses.

    `scenes` are what was set up once and is put back: what a world has in memory, by the name of its rows.
    """

    def __init__(self, *, flush: Flush, superuser: "psycopg.Connection[Any]", url: str) -> None:
        flush()
        self.backdrop = Backdrop(superuser, flush.runtime_tables)
        self.scenes: dict[str, Any] = {}
        self.looking: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        self.looking.execute("SET plan_cache_mode = force_generic_plan")
        self.looking.execute("SET jit = off")
        self.crew = ThreadPoolExecutor(_MOST_PROCESSES, thread_name_prefix="process")

    def close(self) -> None:
        line = Barrier(_MOST_PROCESSES)

        def close() -> None:
            line.wait()
            connections.close_all()

        for done in [self.crew.submit(close) for _ in range(_MOST_PROCESSES)]:
            done.result()
        self.crew.shutdown()
        self.looking.close()


@contextmanager
def stage(*, flush: Flush, superuser: "psycopg.Connection[Any]", url: str) -> Iterator[Stage]:
    """Set the stage: one saga a worker where a world does not say otherwise, no real threads, fixed rates, no bell."""
    made = Stage(flush=flush, superuser=superuser, url=url)
    silenced = override_settings(
        RATE_SOURCE="wallets.fixed_rates.FixedRates", SAGA_THREADS=1, DOORBELL="ledger.controls.bell.SilentBell"
    )
    logging.disable(logging.CRITICAL)  # what goes wrong here is meant to
    rung = bell.installed()
    with silenced, shifts.threads_in_turn():
        bell.install(bell.SilentBell())
        assert settings.SAGA_THREADS == 1
        try:
            yield made
        finally:
            bell.install(rung)
            made.close()
            made.backdrop.clear()
            flush()
            logging.disable(logging.NOTSET)
