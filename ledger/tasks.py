"""The doorbell on Celery, and the one task of the house: a bell has rung, drain a kind of work.

A bell names the kind, and at most one per kind waits: a key in Redis says so, and the task takes it away before it
looks, so that what becomes due from then on rings again. While there is work, and none of another kind waits, the
task stays and looks again after a moment: a message costs more than a round (decision 0313). A bell may be lost: the
relay process is the net.
"""

import time
from functools import cache
from typing import Final

import redis
import structlog
from celery import shared_task
from celery.exceptions import OperationalError
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from ledger.controls import bell, drains
from ledger.gathered_bell import MOMENT_SECONDS, Gathered

log = structlog.get_logger(__name__)

_rests_until: dict[str, float] = {}

_PATIENCE_SECONDS: Final = 0.04
_SILENT_AFTER_FAILURE_SECONDS: Final = 5.0
_WAITS_AT_MOST_SECONDS: Final = 10
_DRAIN_SECONDS: Final = 30.0
_RUNG: Final = b"1"
_HELD: Final = b"0"
_HELD_MILLISECONDS: Final = 1000
"""So long at most a drain that dies at rest keeps its kind's bell silent."""


@shared_task(name="ledger.drain", ignore_result=True, time_limit=120, soft_time_limit=90)  # type: ignore[untyped-decorator]  # Celery is untyped
def drain_kind(*, kind: str, **_: object) -> None:
    """Do all due rows of a kind; ring again when time is up first. Safe twice and at once: a drain claims."""
    time.sleep(max(0.0, _rests_until.get(kind, 0.0) - time.monotonic()))
    started = time.monotonic()
    while True:
        _answer(kind)
        done = drains.drain(kind, for_seconds=_DRAIN_SECONDS)
        ended = time.monotonic()
        _rests_until[kind] = ended + MOMENT_SECONDS
        if ended - started >= _DRAIN_SECONDS:
            bell.installed().ring(kind)
            return
        if not done or not _may_stay(kind):
            return
        time.sleep(MOMENT_SECONDS)


class CeleryBell:
    """Rings by sending that task. After a failure it is silent for some seconds."""

    def __init__(self) -> None:
        self._silent_until = 0.0

    def ring(self, kind: str) -> None:
        """Wake a drain of this kind, unless its bell waits already. Never raises, never waits long."""
        if time.monotonic() < self._silent_until:
            return
        try:
            if _redis().set(_waiting(kind), _RUNG, nx=True, ex=_WAITS_AT_MOST_SECONDS):
                drain_kind.apply_async(kwargs={"kind": kind}, expires=_WAITS_AT_MOST_SECONDS, retry=False)
        except (redis.RedisError, OperationalError, OSError) as error:
            self._silent_until = time.monotonic() + _SILENT_AFTER_FAILURE_SECONDS
            log.info("bell.lost", kind=kind, error=type(error).__name__)


class GatheredCeleryBell:
    """That bell, rung from a thread: whoever rings goes on at once."""

    def __init__(self) -> None:
        self._gathered = Gathered(CeleryBell().ring)

    def ring(self, kind: str) -> None:
        """Wake a drain of this kind within a moment. Never raises, never waits."""
        self._gathered.ring(kind)


def _answer(kind: str) -> None:
    try:
        _redis().delete(_waiting(kind))
    except (redis.RedisError, OSError) as error:
        log.info("bell.unanswered", kind=kind, error=type(error).__name__)


def _may_stay(kind: str) -> bool:
    """Tell whether this task can do the next round too: no bell waits, of this kind or another.

    Then the kind's bell is held: whoever rings during the rest sends no message.
    """
    try:
        if _RUNG in _redis().mget([_waiting(other) for other in drains.kinds()]):
            return False
        return bool(_redis().set(_waiting(kind), _HELD, nx=True, px=_HELD_MILLISECONDS))
    except (redis.RedisError, OSError):
        return False


def _waiting(kind: str) -> str:
    return f"holdfast:bell:{kind}"


@cache
def _redis() -> redis.Redis:
    """One client per process; it asks once and does not wait."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=_PATIENCE_SECONDS,
        socket_timeout=_PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
