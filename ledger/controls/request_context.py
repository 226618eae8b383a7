"""What is known of the present call wherever it goes: its request id, and whom the log lines are about."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    """Return the id that every row and outgoing call of this request, task or command carries, or ""."""
    return _request_id.get()


@contextmanager
def bound(*, request_id: str, **log_fields: str) -> Iterator[None]:
    """Carry a request id (and log fields such as order=...) for the body of a `with` block."""
    token = _request_id.set(request_id)
    try:
        with structlog.contextvars.bound_contextvars(request_id=request_id, **log_fields):
            yield
    finally:
        _request_id.reset(token)
