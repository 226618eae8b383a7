"""The sandbox on a socket, and as a process that is killed."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sandbox import RunningSandbox, start_sandbox, start_sandbox_process
from wallets.sandbox.wire import LARGEST_BODY, LARGEST_HEAD


@contextmanager
def opened(sandbox: RunningSandbox) -> Iterator[socket.socket]:
    with socket.create_connection(sandbox.destination, timeout=10) as connection:
        yield connection


def everything(connection: socket.socket) -> bytes:
    """Read until the other side closes."""
    read = b""
    while chunk := connection.recv(65536):
        read += chunk
    return read


def debit(*, key: str = "ord_1:debit:v1", user: str = "alice") -> bytes:
    body = json.dumps(
        {"operation": "debit", "asset": "EUR", "amount": "1.00", "user_reference": user, "reference": key.split(":")[0]}
    ).encode()
    head = f"POST /debit HTTP/1.1\r\nHost: s\r\nIdempotency-Key: {key}\r\nNot-After: 2999-01-01T00:00:00Z\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_requests_on_one_connection_are_answered_in_order(sandbox: RunningSandbox) -> None:
    live = b"GET /livez HTTP/1.1\r\nHost: s\r\n\r\n"
    last = b"GET /nowhere HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n"
    with opened(sandbox) as connection:
        connection.sendall(live + debit() + last)
        answers = everything(connection)
    assert [answers.find(status) for status in (b"200 OK", b"404 Not Found")] == sorted(
        [answers.find(b"200 OK"), answers.find(b"404 Not Found")]
    )
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert answers.count(b"HTTP/1.1 404 Not Found") == 1
    assert sandbox.asked() == ["debit confirmed"]


def test_a_request_in_pieces_is_answered_once_it_is_whole(sandbox: RunningSandbox) -> None:
    with opened(sandbox) as connection:
        for octet in debit():
            connection.sendall(bytes([octet]))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
    assert sandbox.asked() == ["debit confirmed"]


def test_a_half_request_moves_nothing(sandbox: RunningSandbox) -> None:
    with opened(sandbox) as connection:
        connection.sendall(debit()[:-1])
    assert sandbox.get("/livez").status_code == 200
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("case", "request_bytes", "status"),
    [
        ("no request line", b"hello\r\n\r\n", b"400"),
        ("header without colon", b"GET / HTTP/1.1\r\nhost\r\n\r\n", b"400"),
        ("blank before the colon", b"GET / HTTP/1.1\r\nhost : s\r\n\r\n", b"400"),
        ("negative length", b"POST /debit HTTP/1.1\r\ncontent-length: -1\r\n\r\n", b"400"),
        ("two lengths", b"POST /debit HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", b"400"),
        ("chunked", b"POST /debit HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", b"411"),
        ("large body", b"POST /debit HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (LARGEST_BODY + 1), b"413"),
        ("large head", b"GET / HTTP/1.1\r\nx: " + b"y" * LARGEST_HEAD, b"431"),
        ("other version", b"GET / HTTP/2.0\r\n\r\n", b"505"),
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_closed(
    case: str, request_bytes: bytes, status: bytes, sandbox: RunningSandbox
) -> None:
    with opened(sandbox) as connection:
        connection.sendall(request_bytes)
        assert everything(connection).startswith(b"HTTP/1.1 " + status)
    assert sandbox.requests() == []


def test_a_reset_is_a_reset_on_the_socket(sandbox: RunningSandbox) -> None:
    with opened(sandbox) as connection:
        connection.sendall(debit(user="magic-reset.alice"))
        with pytest.raises(ConnectionResetError):
            connection.recv(65536)
    assert sandbox.applied() == [("debit", "1.00")]


def test_a_held_answer_holds_nobody_else(sandbox: RunningSandbox) -> None:
    with opened(sandbox) as held:
        held.sendall(debit(user="magic-timeout-after.alice"))
        for number in range(2, 52):
            with opened(sandbox) as other:
                other.sendall(debit(key=f"ord_{number}:debit:v1"))
                assert other.recv(65536).startswith(b"HTTP/1.1 200 OK")
    assert len(sandbox.applied()) == 51


def test_the_page_for_people_escapes_what_it_shows(sandbox: RunningSandbox) -> None:
    with opened(sandbox) as connection:
        connection.sendall(debit(user="<script>alert(1)</script>"))
        connection.recv(65536)
    page = sandbox.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>" not in page.text


def test_logs_are_read_in_pages_by_prefix(sandbox: RunningSandbox) -> None:
    with opened(sandbox) as connection:
        for number in range(5):
            connection.sendall(debit(key=f"ord_{number}:debit:v1"))
            connection.recv(65536)
    first = sandbox.get("/inspect/operations?limit=2").json()
    rest = sandbox.get(f"/inspect/operations?limit=3&after={first['next']}").json()
    keys = [row["key"] for row in first["operations"] + rest["operations"]]
    assert keys == [f"ord_{number}:debit:v1" for number in range(5)]
    assert [row["key"] for row in sandbox.operations("ord_3")] == ["ord_3:debit:v1"]
    assert sandbox.operations("%") == []
    assert sandbox.get("/inspect/operations?limit=0").status_code == 400
    assert sandbox.get("/inspect/secrets").status_code == 404


def test_a_sandbox_started_again_remembers_what_it_did(tmp_path: Path) -> None:
    first = start_sandbox(tmp_path)
    first.post("/debit", content=b"{}")
    first.stop()
    second = start_sandbox(tmp_path)
    assert second.asked() == ["debit malformed"]
    second.stop()


def test_a_killed_process_forgets_nothing_that_it_answered(tmp_path: Path) -> None:
    running = start_sandbox_process(tmp_path)
    assert running.process is not None
    try:
        with opened(running) as connection:
            for number in range(20):
                connection.sendall(debit(key=f"ord_{number}:debit:v1"))
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
            running.process.kill()
    finally:
        running.stop()
    again = start_sandbox_process(tmp_path)
    try:
        assert [one["key"] for one in again.operations()] == [f"ord_{number}:debit:v1" for number in range(20)]
        assert len(again.requests()) == 20
    finally:
        again.stop()
    assert again.process is not None
    assert again.process.returncode == 0
