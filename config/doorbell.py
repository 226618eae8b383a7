"""The doorbell on Celery: ``settings.DOORBELL`` names it. It may be lost; the relay process is the net.

A bell names a kind of work, and at most one per kind waits: a key in Redis says that it does, and the task
takes the key away before it begins.
"""

import time
from typing import Final

import redis
import structlog
from django.conf import settings
from kombu.exceptions import OperationalError

from config.celery import app

log = structlog.get_logger(__name__)

TASK: Final = "ledger.drain"
_SILENT_AFTER_FAILURE: Final = 2.0
_WAITS_AT_MOST: Final = 30


class CeleryBell:
    """Rings by sending the task of drains; after a failure it stays silent for two seconds."""

    def __init__(self) -> None:
        self._redis = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.3, socket_timeout=0.3)
        self._silent_until = 0.0

    def ring(self, kind: str) -> None:
        """Wake a drain of this kind, unless its bell waits already. Never raises, never waits long."""
        if time.monotonic() < self._silent_until:
            return
        try:
            if self._redis.set(waiting_key(kind), 1, nx=True, ex=_WAITS_AT_MOST):
                app.send_task(TASK, kwargs={"kind": kind}, expires=_WAITS_AT_MOST, retry=False)
        except (redis.RedisError, OperationalError, OSError) as error:
            self._silent_until = time.monotonic() + _SILENT_AFTER_FAILURE
            log.info("bell.lost", kind=kind, error=type(error).__name__)


def answered(kind: str) -> None:
    """Let the next bell of this kind ring; what became due before now is this drain's."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.3, socket_timeout=0.3) as client:
            client.delete(waiting_key(kind))
    except (redis.RedisError, OSError):
        log.info("bell.key_kept", kind=kind)


def waiting_key(kind: str) -> str:
    """Return the key that says that a bell of this kind waits."""
    return f"holdfast:bell:{kind}"
