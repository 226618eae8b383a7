"""The net under the doorbell: with the broker gone for good everything still finishes, only slower.

Events are passed on several times a second. Another kind of work with a row that has been due for some seconds (or that has
had due rows for some, where it cannot tell for how long each) has nobody who heard its bell: it is drained in a thread of
its own, so that one kind's slow counterparties hold up no other.
"""

import threading
import time
from typing import Final

import structlog
from django.db import Error, close_old_connections, connection, connections

from ledger.controls import drains
from webhooks.left_lanes import left

log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = 0.25
_LOOK_EVERY_SECONDS: Final = 1.0
_OVERDUE_AFTER_SECONDS: Final = 2.0
_PAUSE_AFTER_FAILURE_SECONDS: Final = 1.0
_DRAIN_SECONDS: Final = 10.0


class Net:
    def __init__(self) -> None:
        self._due_since: dict[str, float] = {}
        self._at_work: dict[str, threading.Thread] = {}
        self._look_at = 0.0

    def run_until(self, stop: threading.Event) -> None:
        """Work until told to stop."""
        log.info("relay.started")
        while not stop.is_set():
            pause = _PAUSE_SECONDS
            try:
                close_old_connections()
                self.turn()
            except Exception:
                log.exception("relay.turn_failed")
                connection.close()
                pause = _PAUSE_AFTER_FAILURE_SECONDS
            stop.wait(pause)
        log.info("relay.stopped")

    @property
    def is_at_work(self) -> bool:
        """Whether a kind is still being drained, or a slow receiver's answer awaited."""
        return left.number > 0 or any(thread.is_alive() for thread in self._at_work.values())

    def turn(self) -> None:
        """Pass events on; now and then look for what is overdue."""
        drains.drain("relay", for_seconds=_DRAIN_SECONDS)
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY_SECONDS
        for kind in list(drains.kinds()):
            if kind != "relay" and self._is_overdue(kind, now=now):
                self._drain_aside(kind)

    def _is_overdue(self, kind: str, *, now: float) -> bool:
        if (thread := self._at_work.get(kind)) is not None and thread.is_alive():
            return False
        try:
            waited = drains.has_waited(kind, seconds=_OVERDUE_AFTER_SECONDS)
            if waited is not None:
                return waited
            due = drains.depth(kind) > 0
        except Error:
            log.warning("relay.look_failed", kind=kind, exc_info=True)
            return False
        if not due:
            self._due_since.pop(kind, None)
            return False
        return now - self._due_since.setdefault(kind, now) >= _OVERDUE_AFTER_SECONDS

    def _drain_aside(self, kind: str) -> None:
        thread = threading.Thread(target=_drain, args=(kind,), name=f"drain-{kind}", daemon=True)
        self._at_work[kind] = thread
        thread.start()


def _drain(kind: str) -> None:
    try:
        done = drains.drain(kind, for_seconds=_DRAIN_SECONDS)
        log.info("relay.drained", kind=kind, done=done)
    except Exception:
        log.exception("relay.drain_failed", kind=kind)
    finally:
        connections.close_all()
