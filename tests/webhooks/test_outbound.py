"""The door to the outside: where it may lead (a table of hostile URLs), and what it says of each way to fail."""

import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.webhooks.receiver import Answer, Receiver
from webhooks import destinations, network, outbound

pytestmark = pytest.mark.usefixtures("database")

HOSTILE = [
    # schemes, credentials, shapes
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_PING",
    "javascript:alert(1)",
    "//hooks.example.com/",
    "hooks.example.com",
    "",
    "https://",
    "https:///path",
    "https://user@hooks.example.com/",
    "https://user:password@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/",
    "https://127.0.0.1#@hooks.example.com/",
    "https://hooks.example.com/#fragment",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:65536/",
    "https://hooks.example.com:http/",
    "https://hooks.example.com\\@127.0.0.1/",
    "https://hooks.example.com/a b",
    "https://hooks.example.com/\r\nX-Injected: 1",
    "https://hooks.example.com/\x00",
    "https://hooks.example.com/ż",
    "https://１２７.0.0.1/",
    "https://hooks.example.com%00.evil.example/",
    "https://[::1",
    "https://[127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://a..b/",
    "https://-a.example/",
    "https://hooks.example.com/" + "a" * 2000,
    # loopback, in every spelling
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://0.0.0.0/",
    "https://0/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    # private, link-local, carrier-grade, metadata
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.100.100.200/",
    "https://100.64.0.1/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://[fd00:ec2::254]/",
    "https://[fc00::1]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    # what leads elsewhere, and what is nobody's
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::169.254.169.254]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[100::1]/",
    "https://[5f00::1]/",
    "https://[ff02::1]/",
    "https://224.0.0.1/",
    "https://239.255.255.250/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://192.0.2.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://198.18.0.1/",
    "https://192.88.99.1/",
]


def post(url: str, *, environment: str = "test", timeout: float = 5.0, limit: int = 1000) -> outbound.OutboundResponse:
    return outbound.send(
        outbound.OutboundRequest(
            method="POST", url=url, environment=environment, body=b"{}", timeout=timeout, max_response_bytes=limit
        )
    )


@pytest.fixture
def no_connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Any attempt to connect is written down, and fails the test."""
    tried: list[object] = []
    monkeypatch.setattr(socket, "create_connection", _unreachable(tried))
    yield tried
    assert tried == []


@pytest.mark.parametrize("environment", ["live", "test"])
@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_is_refused_before_anything_is_sent(
    url: str, environment: str, no_connection: list[object]
) -> None:
    with pytest.raises(outbound.OutboundRefused):
        post(url, environment=environment)


@pytest.mark.parametrize(
    "addresses",
    [
        ["93.184.215.14", "127.0.0.1"],
        ["93.184.215.14", "10.0.0.1"],
        ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::1"],
        ["93.184.215.14", "::ffff:169.254.169.254"],
        ["169.254.169.254"],
        ["100.64.3.4"],
    ],
)
def test_a_name_is_refused_when_any_of_its_addresses_is_not_public(
    addresses: list[str], no_connection: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve_to(monkeypatch, addresses)
    with pytest.raises(outbound.OutboundRefused):
        post("https://hooks.example.com/")


def test_a_name_is_asked_once_and_connected_by_that_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes its mind between the look and the connection gains nothing."""
    asked = _resolve_to(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    connected: list[object] = []
    monkeypatch.setattr(socket, "create_connection", _unreachable(connected))
    with pytest.raises(outbound.NotSent):
        post("https://hooks.example.com/")
    assert connected == [("93.184.215.14", 443)]
    assert asked == ["hooks.example.com"]


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.215.14", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "192.0.1.1",
     "2606:4700:4700::1111", "2a00:1450:4001:82a::200e", "2001:4860:4860::8888"],
)  # fmt: skip
def test_a_public_address_is_public(address: str) -> None:
    assert destinations.is_public(address)


def test_live_is_https_alone_and_knows_no_exceptions(receiver: Receiver) -> None:
    with pytest.raises(outbound.OutboundRefused, match="https alone"):
        post(receiver.url(), environment="live")
    with pytest.raises(outbound.OutboundRefused, match="not public"):
        post(receiver.url().replace("http:", "https:"), environment="live")
    assert post(receiver.url()).status == 204
    assert len(receiver.received) == 1


def test_the_exceptions_are_pairs_of_host_and_port(receiver: Receiver, settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = [("127.0.0.1", receiver.port + 1), ("localhost", receiver.port)]
    with pytest.raises(outbound.OutboundRefused):
        post(receiver.url())
    settings.OUTBOUND_ALLOW = []
    with pytest.raises(outbound.OutboundRefused):
        post(receiver.url())
    assert receiver.received == []


def test_a_redirect_is_an_answer(receiver: Receiver) -> None:
    receiver.plan("/hook", Answer(302, headers={"Location": "http://169.254.169.254/"}))
    answer = post(receiver.url())
    assert (answer.status, answer.headers["location"]) == (302, "http://169.254.169.254/")
    assert len(receiver.received) == 1


def test_proxies_of_the_surroundings_are_ignored(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert post(receiver.url()).status == 204


def test_the_request_names_its_host_and_length(receiver: Receiver) -> None:
    post(receiver.url("/a?b=c"))
    (received,) = receiver.received
    assert received.path == "/a?b=c"
    assert received.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert received.headers["content-length"] == "2"
    assert received.headers["accept-encoding"] == "identity"


def test_not_sent_when_nobody_listens(receiver: Receiver, settings: Settings) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    settings.OUTBOUND_ALLOW = [("127.0.0.1", port)]
    with pytest.raises(outbound.NotSent):
        post(f"http://127.0.0.1:{port}/")


def test_not_sent_when_the_name_is_not_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(outbound.NotSent):
        post("https://hooks.example.com/")


def test_not_sent_when_the_name_server_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: silent.wait(5) and [])
    began = time.monotonic()
    with pytest.raises(outbound.NotSent):
        post("https://hooks.example.com/", timeout=0.2)
    silent.set()
    assert time.monotonic() - began < 1


def test_broken_when_the_other_side_hangs_up(receiver: Receiver) -> None:
    receiver.plan("/hook", Answer(hangs_up=True))
    with pytest.raises(outbound.Broken):
        post(receiver.url())
    assert len(receiver.received) == 1, "a request is never sent twice by itself"


def test_timed_out_when_the_answer_does_not_come(receiver: Receiver) -> None:
    never = threading.Event()
    receiver.plan("/hook", Answer(when=never))
    began = time.monotonic()
    with pytest.raises(outbound.TimedOut):
        post(receiver.url(), timeout=0.2)
    never.set()
    assert time.monotonic() - began < 1


def test_timed_out_when_the_answer_comes_drop_by_drop(receiver: Receiver) -> None:
    receiver.plan("/hook", Answer(drips=True))
    began = time.monotonic()
    with pytest.raises((outbound.TimedOut, outbound.Broken)):
        post(receiver.url(), timeout=0.3)
    assert time.monotonic() - began < 1


def test_too_large_says_its_status_and_begins(receiver: Receiver) -> None:
    receiver.plan("/hook", Answer(201, body=b"y" * 100_000))
    with pytest.raises(outbound.TooLarge) as refused:
        post(receiver.url(), limit=64)
    assert (refused.value.status, refused.value.beginning) == (201, b"y" * 64)
    assert post(receiver.url()).status == 204, "the connection was not left in the middle of an answer"


def test_a_certificate_of_another_name_is_not_spoken_to(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connected by address, but the name is verified and sent (SNI)."""
    key, certificate = _certificate(tmp_path, name="hooks.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr("httpcore.default_ssl_context", lambda: trusting)
    monkeypatch.setattr(network, "resolve", lambda host, port: ["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as listening, outbound.use(outbound.PooledTransport()):
        port = listening.getsockname()[1]
        settings.OUTBOUND_ALLOW = [("hooks.example.com", port), ("other.example.com", port)]
        server = threading.Thread(target=_serve_tls, args=(listening, context, 2), daemon=True)
        server.start()
        assert post(f"https://hooks.example.com:{port}/").status == 204
        with pytest.raises(outbound.NotSent):
            post(f"https://other.example.com:{port}/")
        server.join(5)
    assert names == ["hooks.example.com", "other.example.com"]


def test_a_forked_child_starts_with_connections_of_its_own(receiver: Receiver) -> None:
    assert post(receiver.url()).status == 204
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if post(receiver.url()).status == 204 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert post(receiver.url()).status == 204
    assert receiver.connections == 2


def _unreachable(tried: list[object]) -> Callable[..., socket.socket]:
    def connect(address: object, *_: object, **__: object) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError

    return connect


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    asked: list[str] = []

    def resolve(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def _certificate(folder: Path, *, name: str) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
               "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(certificate)]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("no openssl here to make a certificate with")
    return key, certificate


def _serve_tls(listening: socket.socket, context: ssl.SSLContext, connections: int) -> None:
    for _ in range(connections):
        plain, _address = listening.accept()
        try:
            with context.wrap_socket(plain, server_side=True) as secured:
                while not secured.recv(65536).endswith(b"{}"):
                    pass
                secured.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        except OSError:
            plain.close()
