"""The receiver's kit: both examples take what our sender sends, with either secret of a rotation, and nothing else.

The JavaScript one needs Node: the system's, or the one that Playwright brings for the browser's tests. Where there is neither
(and REQUIRE_NODE is not 1) a test of another name says so, loudly.
"""

import base64
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from django.db import transaction as db_transaction
from playwright._impl._driver import compute_driver_executable
from pytest_django.fixtures import Settings

from config.local.ports import free_port
from ledger.controls import clock, drains
from tests.webhooks.edge import attempts, make_endpoint, mine, record_events
from tests.webhooks.receiver import Receiver
from webhooks import rotation, signatures

pytestmark = pytest.mark.usefixtures("database")


def _node_of_playwright() -> str | None:
    node, _ = compute_driver_executable()
    return str(node) if Path(node).is_file() else None


KIT: Final = Path(__file__).resolve().parent.parent.parent / "docs" / "receiver"
NODE: Final = shutil.which("node") or _node_of_playwright()
STRANGER: Final = signatures.make_secret(b"s" * 32)

Verify = Callable[[bytes, Mapping[str, str], list[str], float], Any]


def _python_example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("receiver_example", KIT / "verify.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_python(body: bytes, headers: Mapping[str, str], secrets: list[str], now: float) -> Any:
    """Return what the Python example makes of it, or None when it is refused."""
    example = _python_example()
    try:
        return example.verify(body, headers, secrets=secrets, now=now)
    except example.NotOurs:
        return None


_ASK: Final = """
import {{ verify, NotOurs }} from {module};
const asked = JSON.parse(process.argv[1]);
try {{
  console.log(JSON.stringify(verify(Buffer.from(asked.body, "base64"), asked.headers, asked.secrets, asked.now)));
}} catch (error) {{
  if (!(error instanceof NotOurs)) throw error;
  console.log("null");
}}
"""


def in_javascript(body: bytes, headers: Mapping[str, str], secrets: list[str], now: float) -> Any:
    """The same of the JavaScript example."""
    assert NODE is not None
    asked = {"body": base64.b64encode(body).decode(), "headers": dict(headers), "secrets": secrets, "now": now}
    program = _ASK.format(module=json.dumps((KIT / "verify.mjs").as_uri()))
    said = subprocess.run(
        [NODE, "--input-type=module", "--eval", program, "--", json.dumps(asked)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return json.loads(said.stdout)


LANGUAGES: Final[dict[str, Verify]] = {"python": in_python, **({"javascript": in_javascript} if NODE else {})}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_example_takes_our_deliveries_and_nothing_else(receiver: Receiver, language: str) -> None:
    verify = LANGUAGES[language]
    endpoint = make_endpoint(receiver.url())
    old = endpoint.secret
    with db_transaction.atomic():
        new = rotation.rotate(**mine(endpoint), overlap=rotation.OVERLAP, now=clock.now()).secret
    (reference,) = record_events("ord_1", range(1, 2))
    drains.drain("relay")
    drains.drain("deliveries")
    (received,) = receiver.received
    body, headers, now = received.body, received.headers, float(received.timestamp)

    for secrets in ([old], [new], [STRANGER, old], [old, new]):
        assert verify(body, headers, secrets, now)["id"] == reference
    told = verify(body, headers, [new], now + 299)
    assert told["data"] == {"order_id": "ord_1", "sequence": 1, "note": "żółw €"}

    def changed(name: str, value: str) -> dict[str, str]:
        return {**headers, name: value}

    refused: list[tuple[bytes, Mapping[str, str], list[str], float]] = [
        (body, headers, [STRANGER], now),
        (body, headers, [], now),
        (body + b" ", headers, [new], now),
        (body.replace(b"order.processed", b"order.failed", 1), headers, [new], now),
        (body, changed("webhook-id", "evt_another"), [new], now),
        (body, changed("webhook-timestamp", str(received.timestamp + 1)), [new], now),
        (body, changed("webhook-timestamp", "٥"), [new], now),
        (body, changed("webhook-timestamp", ""), [new], now),
        (body, changed("webhook-signature", "v1,AAAA v1, v2,x nonsense"), [new], now),
        (body, changed("webhook-signature", headers["webhook-signature"].replace("v1,", "v1a,")), [new], now),
        (body, {}, [new], now),
        (body, headers, [new], now + 301),
        (body, headers, [new], now - 301),
    ]
    assert [verify(*one) for one in refused] == [None] * len(refused)


@contextmanager
def running(command: list[str], secret: str) -> Iterator[int]:
    """Run an example as its head says; yield its port."""
    port = free_port()
    process = subprocess.Popen([*command, str(port)], env={**os.environ, "WEBHOOK_SECRETS": f"{STRANGER} {secret}"})
    try:
        deadline = time.monotonic() + 15
        while not _listens(port):
            assert time.monotonic() < deadline, "the example does not listen"
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


COMMANDS: Final[dict[str, list[str]]] = {
    "python": [sys.executable, str(KIT / "verify.py")],
    **({"javascript": [NODE, str(KIT / "verify.mjs")]} if NODE else {}),
}


@pytest.mark.parametrize("language", COMMANDS)
def test_the_example_as_it_stands_receives_our_deliveries(settings: Settings, language: str) -> None:
    endpoint = make_endpoint("https://hooks.example.com/in")
    with running(COMMANDS[language], endpoint.secret) as port:
        settings.OUTBOUND_ALLOW = [("127.0.0.1", port)]
        type(endpoint).objects.filter(pk=endpoint.pk).update(url=f"http://127.0.0.1:{port}/hook")
        record_events("ord_1", range(1, 3))
        drains.drain("relay")
        drains.drain("deliveries")
        assert attempts() == [(1, 204), (1, 204)]
        type(endpoint).objects.filter(pk=endpoint.pk).update(secret=signatures.make_secret(b"z" * 32))
        record_events("ord_2", range(1, 2))
        drains.drain("relay")
        drains.drain("deliveries")
        assert attempts() == [(1, 204), (1, 204), (1, 401)]


if NODE is None:

    def test_node_is_absent_so_that_the_javascript_example_was_not_run() -> None:
        assert os.environ.get("REQUIRE_NODE") != "1", "REQUIRE_NODE=1 asks for Node, and there is none"
        warnings.warn("NO NODE FOUND: THE JAVASCRIPT EXAMPLE WAS NOT RUN", stacklevel=1)
