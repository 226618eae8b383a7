"""Lanes whose receivers are silent for long: a drain leaves them here and goes, so that nothing waits behind them.

Their threads send them to their end. One thread more, with a connection of its own, writes down what became of them and
rings: their endpoints may have more that is due. It ends with the last of them. A process that dies before loses what it
had not written down: the leases end, and the deliveries are sent again with the same webhook-id.
"""

import os
import threading
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Final

import structlog
from django.db import connection, connections

from ledger.controls import bell
from webhooks import gathering
from webhooks.transitions import Attempted

log = structlog.get_logger(__name__)

Sent = Future[list[Attempted]]

_LOOK_SECONDS: Final = 0.25
_GATHER_SECONDS: Final = 0.03


class LeftLanes:
    """Those of this process. A forked child starts with none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lanes: set[Sent] = set()
        self._watcher: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._forget)

    def take(self, lanes: Iterable[Sent]) -> None:
        """See these lanes to their end."""
        with self._lock:
            self._lanes.update(lanes)
            if self._lanes and self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="left-lanes")
                self._watcher.start()

    @property
    def number(self) -> int:
        """How many are on their way or not written down yet."""
        return len(self._lanes)

    def wait(self, *, seconds: float) -> bool:
        """Wait until all are written down; return whether they are."""
        watcher = self._watcher
        if watcher is not None:
            watcher.join(seconds)
        return self._watcher is None

    def _watch(self) -> None:
        try:
            while watched := self._still():
                wait(watched, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
                finished, _ = wait(watched, timeout=_GATHER_SECONDS)  # those that end together are written together
                self._write_down(finished)
        finally:
            connections.close_all()

    def _still(self) -> set[Sent]:
        with self._lock:
            if not self._lanes:
                self._watcher = None
            return set(self._lanes)

    def _write_down(self, finished: set[Sent]) -> None:
        try:
            if gathering.record_lanes(finished):
                bell.installed().ring(gathering.KIND)
        except Exception:
            log.exception("delivery.left_lane_not_recorded", number=len(finished))
            connection.close()
        with self._lock:
            self._lanes -= finished

    def _forget(self) -> None:
        self._lock, self._lanes, self._watcher = threading.Lock(), set(), None


left: Final = LeftLanes()
