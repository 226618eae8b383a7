"""Rings of one process, gathered: those a moment after a bell has rung go out as one, at the moment's end (decision 0311).

Who commits does not wait for the broker: a thread of the process rings. The first ring after a quiet moment goes out at once. A
process that is killed loses what it has gathered: the relay process is the net.
"""

import atexit
import os
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

MOMENT_SECONDS: Final = 0.03
"""As long as a drain rests: what comes in meanwhile is done in one go either way."""

log = structlog.get_logger(__name__)


class Gathered:
    """Hands each kind that rang to `ring`, from a thread that begins with the first of them, in a forked process too."""

    def __init__(self, ring: Callable[[str], None], *, moment: float = MOMENT_SECONDS) -> None:
        self._ring, self._moment = ring, moment
        self._begin_anew()
        os.register_at_fork(after_in_child=self._begin_anew)
        atexit.register(self.flush)

    def ring(self, kind: str) -> None:
        """Have this kind rung. Never raises, never waits."""
        self._wanted[kind] = None
        if not self._begun:
            self._begin()
        self._told.set()

    def flush(self) -> None:
        """Ring what is gathered, now."""
        with self._ringing:
            while self._wanted:
                kind, _ = self._wanted.popitem()
                self._ring(kind)

    def _begin_anew(self) -> None:
        self._wanted: dict[str, None] = {}
        self._told = threading.Event()
        self._ringing, self._beginning = threading.Lock(), threading.Lock()
        self._begun = False

    def _begin(self) -> None:
        with self._beginning:
            if not self._begun:
                threading.Thread(target=self._run, name="bell", daemon=True).start()
                self._begun = True

    def _run(self) -> None:
        while True:
            self._told.wait()
            self._told.clear()
            try:
                self.flush()
            except Exception:
                log.exception("bell.failed")
            time.sleep(self._moment)
