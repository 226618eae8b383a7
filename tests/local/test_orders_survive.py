"""An order finishes though its worker is killed in the middle of it, and though there is no Valkey at all."""

import json
import os
import signal
import time
import urllib.request
from typing import Any

import pytest

from config.local.processes import read_record
from config.local.programs import record_path
from config.local.stack import LocalStack
from tests.stacks import local_stack

pytestmark = pytest.mark.processes


def test_order_finishes_when_the_worker_is_killed_in_the_middle_of_its_debit() -> None:
    # Without the relay process only the worker can have asked, and only the next worker can find out.
    with local_stack(without=["relay"], settings={"SAGA_LEASE": "5"}) as stack:
        worker = read_record(record_path(stack.places, "worker"))
        assert worker is not None
        order = _submit(stack, user_reference="magic-slow.alice")  # the wallet takes 1.5 s to answer
        _wait(stack, order, {"operator_debit_pending"}, seconds=60)
        _until_asked(stack, order)
        os.kill(worker.pid, signal.SIGKILL)

        assert _wait(stack, order, {"processed", "failed", "manual_review"}, seconds=90) == "processed"
        asked = _requests(stack, order)
        assert [request["method"] for request in asked].count("POST") == 1, "a key was asked twice"
        assert any(request["method"] == "GET" for request in asked), "the fate of the debit was looked up"
        assert not worker.is_running()
        assert "worker" in stack.supervisor.pids()


def test_order_finishes_when_valkey_never_ran() -> None:
    with local_stack(without=["valkey", "beat"]) as stack:
        assert _json(f"{stack.url}/readyz") == {"status": "ok", "database": "ok", "redis": "unreachable"}
        order = _submit(stack, user_reference="alice")
        assert _wait(stack, order, {"processed", "failed", "manual_review"}, seconds=60) == "processed"
        assert len(_requests(stack, order)) == 1


def _submit(stack: LocalStack, *, user_reference: str) -> str:
    """Buy EUR 25 worth of USDT; return the order's reference."""
    quote = _post(
        stack,
        "/v1/quotes",
        {
            "pool_id": "EUR-USDT",
            "side": "buy",
            "source_asset": "EUR",
            "source_amount": "25.00",
            "user_reference": user_reference,
            "firm": True,
        },
    )
    order = _post(stack, "/v1/orders", {"quote_id": quote["quote_id"], "partner_order_id": "survivor-1"})
    return str(order["order_id"])


def _wait(stack: LocalStack, order: str, wanted: set[str], *, seconds: float) -> str:
    """Wait until the order's status is one of the wanted; return it."""
    deadline = time.monotonic() + seconds
    while True:
        status = str(_get(stack, f"/v1/orders/{order}")["status"])
        if status in wanted:
            return status
        assert time.monotonic() < deadline, f"the order is still {status}"
        time.sleep(0.05)


def _until_asked(stack: LocalStack, order: str) -> None:
    deadline = time.monotonic() + 30
    while not _requests(stack, order):
        assert time.monotonic() < deadline, "the wallet was never asked"
        time.sleep(0.02)


def _requests(stack: LocalStack, order: str) -> list[dict[str, Any]]:
    """Return what the sandbox's wallet was asked about the order."""
    url = f"http://127.0.0.1:{stack.ports.sandbox}/inspect/requests?prefix={order}"
    found: list[dict[str, Any]] = _json(url)["requests"]
    return found


def _post(stack: LocalStack, path: str, body: dict[str, object]) -> dict[str, Any]:
    return _json(
        f"{stack.url}{path}",
        body=json.dumps(body).encode(),
        headers={**_authorization(stack), "Content-Type": "application/json", "Idempotency-Key": path[4:]},
    )


def _get(stack: LocalStack, path: str) -> dict[str, Any]:
    return _json(f"{stack.url}{path}", headers=_authorization(stack))


def _authorization(stack: LocalStack) -> dict[str, str]:
    return {"Authorization": f"Bearer {stack.kept()['api_key']}"}


def _json(url: str, *, body: bytes | None = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(url, data=body, headers=headers or {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: dict[str, Any] = json.loads(answer.read())
    return content
