"""The first calls of a process make the pool of connections once, and not in the other side's time."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpcore
import pytest

from tests.threads import raise_first
from tests.webhooks.receiver import Receiver
from webhooks import outbound

pytestmark = pytest.mark.usefixtures("database")


def test_many_first_calls_read_the_certificates_once_and_outside_their_deadline(
    receiver: Receiver, run_threads: Callable[..., Sequence[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    context = httpcore.default_ssl_context()

    def slowly() -> Any:
        read.append(threading.current_thread().name)
        time.sleep(1.2)  # longer than the calls may take
        return context

    monkeypatch.setattr(httpcore, "default_ssl_context", slowly)
    transport = outbound.PooledTransport()
    request = outbound.OutboundRequest(method="POST", url=receiver.url(), environment="test", timeout=1.0)
    answers = raise_first(run_threads(*[lambda: transport.send(request).status] * 8))
    assert answers == [204] * 8
    assert len(read) == 1
