"""The one door for HTTP to the outside, for deliveries and for gateways alike.

HTTP is a port: a test or the simulation installs a transport of its own with `use`. In production connections are
pooled and kept alive, per environment and process; there are no redirects, no proxies from the surroundings, no
repeats, and a limit on time and size.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, Protocol

import httpcore
from django.conf import settings
from django.db import connection

from webhooks import destinations, network
from webhooks.destinations import OutboundRefused

__all__ = [
    "Broken",
    "NotSent",
    "OutboundRefused",
    "OutboundRequest",
    "OutboundResponse",
    "TimedOut",
    "TooLarge",
    "Transport",
    "send",
    "use",
]

_CONNECTIONS: Final = 256
_KEPT_ALIVE: Final = 64
_KEPT_ALIVE_SECONDS: Final = 4.0


class NotSent(Exception):
    """No connection could be made: surely nothing was sent."""


class Broken(Exception):
    """The exchange broke after sending may have begun: whether it arrived is unknown."""


class TooLarge(Broken):
    """The answer is larger than the caller takes. Its status is known."""

    def __init__(self, status: int, beginning: bytes) -> None:
        self.status = status
        self.beginning = beginning
        super().__init__("the answer is too large")


class TimedOut(Exception):
    """The time was over after sending may have begun: whether it arrived is unknown."""


class InsideTransaction(RuntimeError):
    """A call to the outside was attempted with a database transaction open."""


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """`timeout` is for the whole call, in seconds."""

    method: str
    url: str
    environment: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout: float = 10.0
    max_response_bytes: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class OutboundResponse:
    """`headers` has names in lower case; of a repeated one, the last."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    def send(self, request: OutboundRequest) -> OutboundResponse:
        """Send one request. Raises OutboundRefused, NotSent, Broken or TimedOut."""
        ...


class PooledTransport:
    """The production transport. Safe among threads; a forked child starts with no connections."""

    def __init__(self) -> None:
        self._pools: dict[str, httpcore.ConnectionPool] = {}
        self._making = threading.Lock()
        os.register_at_fork(after_in_child=self._forget)

    def send(self, request: OutboundRequest) -> OutboundResponse:
        destination = destinations.parse(request.url)
        destinations.permit(destination, environment=request.environment, allowed=settings.OUTBOUND_ALLOW)
        pool = self._pool(request.environment)  # made the first time: that is not the other side's time
        token = network.deadline.set(time.monotonic() + request.timeout)
        try:
            return _exchange(pool, destination, request)
        except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout) as error:
            raise NotSent(str(error) or type(error).__name__) from error
        except httpcore.TimeoutException as error:
            raise TimedOut(str(error) or type(error).__name__) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise Broken(str(error) or type(error).__name__) from error
        finally:
            network.deadline.reset(token)

    def _pool(self, environment: str) -> httpcore.ConnectionPool:
        """Return the environment's pool, made once: reading the certificates costs many times a call."""
        if (known := self._pools.get(environment)) is not None:
            return known
        with self._making:
            if environment not in self._pools:
                self._pools[environment] = httpcore.ConnectionPool(
                    max_connections=_CONNECTIONS,
                    max_keepalive_connections=_KEPT_ALIVE,
                    keepalive_expiry=_KEPT_ALIVE_SECONDS,
                    ssl_context=httpcore.default_ssl_context(),
                    network_backend=network.GuardedBackend(environment),
                )
            return self._pools[environment]

    def _forget(self) -> None:
        self._pools = {}
        self._making = threading.Lock()


_production: Final = PooledTransport()
_transport: ContextVar[Transport] = ContextVar("outbound_transport", default=_production)


def send(request: OutboundRequest) -> OutboundResponse:
    """Send one request and return the answer, whatever its status; a redirect is an answer.

    Raises OutboundRefused or NotSent (surely nothing was sent), Broken or TimedOut (it may have been), and
    InsideTransaction, a defect.
    """
    if connection.in_atomic_block:
        raise InsideTransaction
    return _transport.get().send(request)


def is_simulated() -> bool:
    """Return whether a test or the simulation owns HTTP; then callers ask one by one, in order."""
    return _transport.get() is not _production


@contextmanager
def use(transport: Transport) -> Iterator[Transport]:
    """Install a transport for the body of a `with` block (this context only)."""
    token = _transport.set(transport)
    try:
        yield transport
    finally:
        _transport.reset(token)


def _exchange(
    pool: httpcore.ConnectionPool, destination: destinations.Destination, request: OutboundRequest
) -> OutboundResponse:
    answer = pool.handle_request(
        httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=destination.scheme.encode(),
                host=destination.host.encode(),
                port=destination.port,
                target=destination.target.encode(),
            ),
            headers=_headers(destination, request),
            content=request.body,
            extensions={"timeout": {"pool": request.timeout}},
        )
    )
    try:
        body = bytearray()
        for chunk in answer.iter_stream():
            body += chunk
            if len(body) > request.max_response_bytes:
                raise TooLarge(answer.status, bytes(body[: request.max_response_bytes]))
    finally:
        answer.close()
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
    return OutboundResponse(status=answer.status, headers=headers, body=bytes(body))


def _headers(destination: destinations.Destination, request: OutboundRequest) -> list[tuple[str, str]]:
    given = {name.lower() for name in request.headers}
    headers = [("host", destination.authority), *request.headers.items()]
    if "user-agent" not in given:
        headers.append(("user-agent", "Holdfast"))
    if "accept-encoding" not in given:
        headers.append(("accept-encoding", "identity"))
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        headers.append(("content-length", str(len(request.body))))
    return headers
