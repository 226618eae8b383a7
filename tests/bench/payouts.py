"""F14: payouts through the sandbox's bank, from AUTHORIZED to SETTLED as their streams tell it, at a steady rate."""

import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from config.local.stack import LocalStack
from config.local.supervisor import Program
from tests.bench.rows import Row

_PER_SECOND = 20.0
_PAYOUTS = 300
_PAYOUTS_WITHOUT_REDIS = 100
_PATIENCE = 60.0
_ASSET = "THB"


def prepare(stack: LocalStack) -> str:
    """Open a merchant's wallet with money in it. Returns its id."""
    from django.db import transaction as db_transaction

    from ledger.controls import clock
    from tests.wallets.people import fund
    from wallets import holders, operators

    caller = operators.caller_with_key(secret=str(stack.kept()["api_key"]))
    assert caller is not None
    with db_transaction.atomic():
        wallet = holders.open_wallet(
            operator_id=caller.operator_id,
            environment="test",
            kind="merchant",
            user_reference="bench-payouts",
            assets=[_ASSET],
            now=clock.now(),
        )
    fund(wallet, 10**12, asset=_ASSET)  # proposed and approved: two transactions
    return wallet.reference


def authorized_to_settled(stack: LocalStack, wallet: str) -> list[Row]:
    """Ask for payouts at a steady rate, each with a stream of its own; how long from AUTHORIZED to SETTLED there.

    Then the same with Valkey stopped: no bell and no wake, only what the relay process finds overdue.
    """
    _until_streams_answer(stack)
    _one(stack, wallet)  # the workers' first one pays for their imports
    took, conditions = _steady(stack, wallet, payouts=_PAYOUTS)
    with _without_redis(stack):
        alone, told = _steady(stack, wallet, payouts=_PAYOUTS_WITHOUT_REDIS)
    return [
        Row("F14 p50", _at(took, 0.50), "ms", None, None, "≤ 1,000 ms", conditions),
        Row("F14 p95", _at(took, 0.95), "ms", None, None, "≤ 3,000 ms", conditions),
        Row("F14 without Redis", _at(alone, 1.0), "ms", None, None, "≤ 10,000 ms", f"the slowest of all; {told}"),
    ]


def _until_streams_answer(stack: LocalStack) -> None:
    """Wait for the streams' process: it counts as running before it listens."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", stack.ports.streams), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the streams do not answer"
            time.sleep(0.1)
        else:
            return


def _steady(stack: LocalStack, wallet: str, *, payouts: int) -> tuple[list[float], str]:
    """Ask for payouts at the steady rate. Return the seconds that each took, sorted, and the conditions in words."""
    took: list[float] = []
    faults: list[BaseException] = []

    def one() -> None:
        try:
            took.append(_one(stack, wallet))
        except (AssertionError, OSError, HTTPException, ValueError) as fault:
            faults.append(fault)

    threads = []
    began = time.monotonic()
    for turn in range(payouts):
        time.sleep(max(0.0, began + turn / _PER_SECOND - time.monotonic()))
        threads.append(threading.Thread(target=one, daemon=True))
        threads[-1].start()
    asked = time.monotonic() - began
    for thread in threads:
        thread.join(_PATIENCE)
    assert not faults, faults[0]
    assert len(took) == payouts, f"{payouts - len(took)} payouts were not settled within {_PATIENCE:.0f} s"
    words = f"{payouts} payouts at {payouts / asked:.0f}/s; query, hold, submit and settle through HTTP, each seen on a stream"
    return sorted(took), words


def _at(took: list[float], share: float) -> float:
    """Return the milliseconds within which this share of them was settled."""
    return 1000 * took[min(int(len(took) * share), len(took) - 1)]


@contextmanager
def _without_redis(stack: LocalStack) -> Iterator[None]:
    server = Program(name="valkey", command=(), order=0, group="servers")
    stack.supervisor.stop_program(server)
    try:
        yield
    finally:
        stack.supervisor.start_programs([server])


def _one(stack: LocalStack, wallet: str) -> float:
    """Ask for a payout and watch it; return the seconds from its answer to SETTLED on its stream."""
    headers = {"Authorization": f"Bearer {stack.kept()['api_key']}"}
    body = {
        "payer_wallet_id": wallet,
        "asset": _ASSET,
        "amount": "100.00",
        "channel": "promptpay",
        "recipient": {"proxy_type": "mobile", "proxy_value": "0812345678"},
    }
    connection = _connection(stack.url)
    asked = {**headers, "Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    connection.request("POST", "/v1/payouts", json.dumps(body).encode(), asked)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    authorized = time.monotonic()
    connection.close()
    assert (answer.status, content["status"]) == (202, "AUTHORIZED"), content

    stream = _connection(f"http://127.0.0.1:{stack.ports.streams}")
    stream.request("GET", f"/v1/intents/{content['intent_id']}/events", headers=headers)
    told = stream.getresponse()
    assert told.status == 200
    while line := told.readline():
        if line.startswith(b"event: intent.SETTLED"):
            stream.close()
            return time.monotonic() - authorized
    raise AssertionError("the stream ended before the payout did")


def _connection(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    return HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE)
