"""F14: payouts through the sandbox's bank, from AUTHORIZED to SETTLED as their streams tell it, at a steady rate."""

import json
import statistics
import threading
import time
import uuid
from http.client import HTTPConnection
from urllib.parse import urlsplit

from config.local.stack import LocalStack
from tests.bench.rows import Row

_PER_SECOND = 20.0
_PAYOUTS = 300
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
        fund(wallet, 10**12, asset=_ASSET)
    return wallet.reference


def authorized_to_settled(stack: LocalStack, wallet: str) -> list[Row]:
    """Ask for payouts at a steady rate, each with a stream of its own; how long from AUTHORIZED to SETTLED there."""
    _one(stack, wallet)  # the workers' first one pays for their imports
    took: list[float] = []
    threads = []
    began = time.monotonic()
    for turn in range(_PAYOUTS):
        time.sleep(max(0.0, began + turn / _PER_SECOND - time.monotonic()))
        threads.append(threading.Thread(target=lambda: took.append(_one(stack, wallet)), daemon=True))
        threads[-1].start()
    asked = time.monotonic() - began
    for thread in threads:
        thread.join(_PATIENCE)
    conditions = (
        f"{len(took)} of {_PAYOUTS} settled, asked for at {_PAYOUTS / asked:.0f}/s; query, hold, submit and settle through"
        " HTTP, each seen on a stream of its own"
    )
    quantiles = statistics.quantiles(took, n=100)
    return [
        Row("F14 p50", 1000 * quantiles[49], "ms", None, None, "≤ 1,000 ms", conditions),
        Row("F14 p95", 1000 * quantiles[94], "ms", None, None, "≤ 3,000 ms", conditions),
    ]


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
