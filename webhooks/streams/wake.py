"""The wake: the relay says over Redis which aggregates have new events. It may be lost: the hub asks anyway, only later."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import redis
import redis.asyncio
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger(__name__)

CHANNEL: Final = "holdfast:streams"
_PATIENCE_SECONDS: Final = 0.04
_SILENT_AFTER_FAILURE_SECONDS: Final = 5.0
_PING_EVERY_SECONDS: Final = 2.0
_KNOCK_AGAIN_AFTER_SECONDS: Final = 1.0
_MOST_NAMED: Final = 200


class _Caller:
    """Calls by PUBLISH. After a failure it is silent for some seconds."""

    def __init__(self) -> None:
        self.silent_until = 0.0

    def call(self, aggregates: Sequence[str]) -> None:
        if time.monotonic() < self.silent_until:
            return
        try:
            _redis().publish(CHANNEL, json.dumps(list(aggregates[:_MOST_NAMED])))
        except (redis.RedisError, OSError) as error:
            self.silent_until = time.monotonic() + _SILENT_AFTER_FAILURE_SECONDS
            log.info("streams.wake_lost", error=type(error).__name__)


_caller: Final = _Caller()


def call(aggregates: Sequence[str]) -> None:
    """Wake the streams of these aggregates. Never raises, never waits long."""
    _caller.call(aggregates)


async def listen(*, heard: Callable[[set[str]], None], listening: Callable[[bool], None]) -> None:
    """Hear calls for ever, and say whenever that begins and ends."""
    while True:
        try:
            await _hear(heard, listening)
        except (redis.RedisError, OSError, TimeoutError) as error:
            log.info("streams.deaf", error=type(error).__name__)
        finally:
            listening(False)
        await asyncio.sleep(_KNOCK_AGAIN_AFTER_SECONDS)


async def _hear(heard: Callable[[set[str]], None], listening: Callable[[bool], None]) -> None:
    client = redis.asyncio.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=5, retry=None, single_connection_client=True
    )
    async with client, client.pubsub() as channel:
        await channel.subscribe(CHANNEL)
        listening(True)
        while True:
            message = await channel.get_message(ignore_subscribe_messages=True, timeout=_PING_EVERY_SECONDS)
            if message is None:
                await channel.ping()
            elif message["type"] == "message":
                heard(_named(message["data"]))


def _named(octets: bytes) -> set[str]:
    try:
        found = json.loads(octets)
    except ValueError:
        return set()
    return {name for name in found if isinstance(name, str)} if isinstance(found, list) else set()


@cache
def _redis() -> redis.Redis:
    """One client per process; it asks once and does not wait."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=_PATIENCE_SECONDS,
        socket_timeout=_PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
