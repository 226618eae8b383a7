"""How a run says how far it is: to whoever started it, and in the close's row, for whoever looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from reconciliation.models import CloseRun


class Progress(Protocol):
    def plan(self, steps: int) -> None:
        """Say how many steps there will be."""
        ...

    def begin(self, step: str) -> None:
        """Say what is being done now; what was begun before is done."""
        ...


class Silent:
    def plan(self, steps: int) -> None:
        return

    def begin(self, step: str) -> None:
        return


class _Shown:
    """Writes each step into the close's row by a connection of its own: the run's is in a snapshot, and reads only."""

    def __init__(self, close: CloseRun, told: Progress, connection: BaseDatabaseWrapper) -> None:
        self._close = close
        self._told = told
        self._connection = connection
        self._done = -1

    def plan(self, steps: int) -> None:
        self._told.plan(steps)
        self._write("Begin", 0, steps)

    def begin(self, step: str) -> None:
        self._told.begin(step)
        self._done += 1
        self._write(step, self._done, None)

    def end(self) -> None:
        self._write("", None, None)

    def _write(self, step: str, done: int | None, planned: int | None) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "UPDATE reconciliation_closerun SET step = %s, steps_done = coalesce(%s, steps_done),"
                " steps_planned = coalesce(%s, steps_planned) WHERE id = %s",
                [step[:80], done, planned, self._close.pk],
            )


@contextmanager
def shown_live(close: CloseRun, told: Progress) -> Iterator[Progress]:
    """Tell `told`, and show it in the close's row until the run has ended, well or not."""
    connection = connections.create_connection("default")
    shown = _Shown(close, told, connection)
    try:
        yield shown
    finally:
        shown.end()
        connection.close()
