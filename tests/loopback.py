"""Forbid sockets to the outside: a test that reaches for one fails at once."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


class OutsideSocket(AssertionError):
    """A test reached for an address that is not on this machine."""


@contextmanager
def only_loopback() -> Iterator[None]:
    """Let sockets connect to loopback addresses and Unix sockets alone, and resolve nothing else."""
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _refuse_outside(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_outside(self, address)
        return connect_ex(self, address)

    def guarded_resolve(host: Any, *rest: Any, **named: Any) -> Any:
        if host is not None and not _is_local_name(host):
            raise OutsideSocket(f"a test asks for the address of {host!r}")
        return resolve(host, *rest, **named)

    with (
        mock.patch.object(socket.socket, "connect", guarded_connect),
        mock.patch.object(socket.socket, "connect_ex", guarded_connect_ex),
        mock.patch.object(socket, "getaddrinfo", guarded_resolve),
    ):
        yield


def _refuse_outside(opened: socket.socket, address: Any) -> None:
    if opened.family == socket.AF_UNIX:
        return
    if not _is_local_name(address[0]):
        raise OutsideSocket(f"a test connects to {address!r}")


def _is_local_name(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
