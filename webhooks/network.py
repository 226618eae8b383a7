"""The guarded network beneath `outbound`: a name is resolved once, every address judged, and one connected to.

Each step of one call shares a deadline, so that a peer who drips bytes gains no time.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Final

import httpcore
from django.conf import settings

from webhooks import destinations

_ADDRESSES_TRIED: Final = 3

deadline: ContextVar[float] = ContextVar("outbound_deadline")
"""The monotonic instant at which the present call is over; set by whoever calls."""


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to public addresses, and in the test environment to the pairs of OUTBOUND_ALLOW."""

    def __init__(self, environment: str) -> None:
        self._environment = environment
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = resolve(host, port)
        if self._environment != "test" or (host, port) not in settings.OUTBOUND_ALLOW:
            destinations.refuse_unless_public(addresses)
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses[:_ADDRESSES_TRIED]:
            try:
                return DeadlineStream(self._inner.connect_tcp(address, port, timeout=_left(httpcore.ConnectTimeout)))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class DeadlineStream(httpcore.NetworkStream):
    """A connection whose every read and write ends with the present call's deadline."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(httpcore.ConnectTimeout)
        return DeadlineStream(self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def resolve(host: str, port: int) -> list[str]:
    """Return all addresses of a host, within the deadline. Raises httpcore.ConnectError or ConnectTimeout."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    found: list[str] = []
    failed: list[OSError] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(answer[4][0]) for answer in answers))
        except (OSError, UnicodeError) as error:
            failed.append(error if isinstance(error, OSError) else OSError(str(error)))

    # The system's resolver knows no time limit: it answers in a thread of its own, or too late.
    asking = threading.Thread(target=ask, name="resolve", daemon=True)
    asking.start()
    asking.join(_left(httpcore.ConnectTimeout))
    if asking.is_alive():
        raise httpcore.ConnectTimeout("the name was not resolved in time")
    if failed or not found:
        raise httpcore.ConnectError("the name could not be resolved") from (failed[0] if failed else None)
    return found


def _left(too_late: type[httpcore.TimeoutException]) -> float:
    left = deadline.get() - time.monotonic()
    if left <= 0:
        raise too_late("the time for this call is over")
    return left
