"""Throttling per API key: a token bucket in each web process, so that it costs microseconds and needs no Redis.

`REST_RATE` requests a second and `REST_BURST` at once, per key and process: an allowance of the whole is that times
the number of web processes.
"""

import threading
from collections import OrderedDict

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from ledger.controls import clock
from ledger.controls.rest.caller import Caller

_MOST_KEYS = 10_000


class Buckets:
    """One bucket of tokens per key; the key that was quiet longest is forgotten first (its bucket is full by then)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: OrderedDict[int, tuple[float, float]] = OrderedDict()

    def wait(self, key: int, *, rate: int, burst: int, at: float) -> float:
        """Take a token: return 0, or the seconds until there is one."""
        with self._lock:
            tokens, since = self._buckets.pop(key, (float(burst), at))
            tokens = min(float(burst), tokens + max(0.0, at - since) * rate)
            allowed = tokens >= 1
            self._buckets[key] = (tokens - 1 if allowed else tokens, at)
            if len(self._buckets) > _MOST_KEYS:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / rate

    def clear(self) -> None:
        with self._lock:
            self._buckets.clear()


buckets = Buckets()


class KeyThrottle(BaseThrottle):
    """Count a caller's requests by its key. A rate of 0 lets everything pass."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        caller = request.user
        if not isinstance(caller, Caller) or settings.REST_RATE == 0:
            return True
        self._wait = buckets.wait(
            caller.key_id, rate=settings.REST_RATE, burst=settings.REST_BURST, at=clock.monotonic()
        )
        return self._wait == 0

    def wait(self) -> float:
        return self._wait
