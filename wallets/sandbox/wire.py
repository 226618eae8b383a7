"""HTTP/1.1 on a socket, one request after another.

Written by hand because the faults need the socket itself (hold it, drop it, reset it), because the sandbox is
one process that dies whole, and because a server library costs three times as much per request as the rest:
the counterparties must not be the bottleneck of what they measure. Plain bodies with a length only.
"""

import asyncio
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from wallets.sandbox.messages import Answer, Ending, Request, refused

LARGEST_HEAD: Final = 32_768
LARGEST_BODY: Final = 1_048_576

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


class Unreadable(Exception):
    """The bytes are no request that this server takes."""

    def __init__(self, status: int, code: str) -> None:
        self.status = status
        self.code = code
        super().__init__(code)


class Connection(asyncio.Protocol):
    """One client's connection: requests are answered in order, a held one holds those behind it."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self._answer = answer
        self._waiting = b""
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        if self._timer is None:
            self._serve()
        elif len(self._waiting) > LARGEST_HEAD + LARGEST_BODY:
            self._drop()

    def _serve(self) -> None:
        """Answer what has arrived whole, until an answer must wait."""
        while self._transport is not None and self._timer is None and self._waiting:
            try:
                read = read_request(self._waiting)
            except Unreadable as problem:
                self._write(refused(problem.status, problem.code, problem.code), last=True)
                return
            if read is None:
                return
            request, taken, last = read
            self._waiting = self._waiting[taken:]
            self._end(self._answered(request), last=last)

    def _answered(self, request: Request) -> Answer:
        try:
            return self._answer(request)
        except Exception:  # noqa: BLE001 (the edge of the process: tell, and go on serving)
            traceback.print_exc(file=sys.stderr)
            return refused(500, "defect", "The sandbox itself failed; see its log.")

    def _end(self, answer: Answer, *, last: bool) -> None:
        match answer.ending:
            case Ending.RESET:
                self._reset()
            case Ending.SILENCE:
                self._later(answer.delay, self._drop)
            case Ending.SEND if answer.delay:
                self._later(answer.delay, lambda: self._write(answer, last=last))
            case Ending.SEND:
                self._write(answer, last=last)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        def acted() -> None:
            self._timer = None
            act()
            self._serve()

        self._timer = asyncio.get_running_loop().call_later(seconds, acted)

    def _write(self, answer: Answer, *, last: bool) -> None:
        if self._transport is None:
            return
        self._transport.write(render(answer, last=last))
        if last:
            self._transport.close()
            self._transport = None

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def _reset(self) -> None:
        """Close so that the client sees a reset and not an end."""
        if self._transport is not None:
            opened = self._transport.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._drop()


def read_request(waiting: bytes) -> tuple[Request, int, bool] | None:
    """Read the first request: itself, its length in bytes, whether it is the connection's last.

    Returns None while it is not whole; raises Unreadable when it never will be.
    """
    end = waiting.find(b"\r\n\r\n")
    if end > LARGEST_HEAD or (end < 0 and len(waiting) > LARGEST_HEAD):
        raise Unreadable(431, "headers_too_large")
    if end < 0:
        return None
    try:
        lines = waiting[:end].decode("latin-1").split("\r\n")
        method, target, version = lines[0].split(" ")
        headers = _headers(lines[1:])
    except ValueError:
        raise Unreadable(400, "malformed") from None
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise Unreadable(505, "version_not_supported")
    if "transfer-encoding" in headers:
        raise Unreadable(411, "length_required")
    length = _length(headers)
    whole = end + 4 + length
    if len(waiting) < whole:
        return None
    path, _, query = target.partition("?")
    request = Request(
        method=method,
        path=path,
        headers=headers,
        body=waiting[end + 4 : whole],
        query=dict(parse_qsl(query)) if query else {},
    )
    last = version == "HTTP/1.0" or headers.get("connection", "").lower() == "close"
    return request, whole, last


def render(answer: Answer, *, last: bool) -> bytes:
    """Write an answer as bytes."""
    lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}"]
    if answer.status != HTTPStatus.NO_CONTENT:
        lines += [f"Content-Type: {answer.content_type}", f"Content-Length: {len(answer.body)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if last:
        lines.append("Connection: close")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + answer.body


def _headers(lines: list[str]) -> dict[str, str]:
    """Read header lines; raises ValueError for one without a colon or a repeated length."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or name != name.strip() or not name:
            raise ValueError(line)
        if name == "content-length" and name in headers:
            raise ValueError(line)
        headers[name] = value.strip()
    return headers


def _length(headers: dict[str, str]) -> int:
    written = headers.get("content-length", "0")
    if not (written.isascii() and written.isdigit() and len(written) <= 12):
        raise Unreadable(400, "malformed")
    if int(written) > LARGEST_BODY:
        raise Unreadable(413, "body_too_large")
    return int(written)
