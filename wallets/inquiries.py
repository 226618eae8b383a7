"""The remote door for a question that moves nothing: a venue's price, a payout's recipient. A request waits for its answer.

1 ask nothing while the gateway is paused, its circuit is open, or as many run as it takes; a lease counts among those
2 ask, with no transaction open and never again here; the first one after an open circuit goes as a probe
3 write down what was asked and said, give the lease back, tell the circuit what the answer says about the gateway
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from django.db import connection
from django.db import transaction as db_transaction

from ledger.controls import clock, randomness, references, request_context
from wallets import admission
from wallets.admission import HeldBack
from wallets.gateway_port import GatewayConnection, Reply
from wallets.models import Gateway, Inquiry
from wallets.outcomes import Cause, Confirmed, Unknown
from wallets.remote_operations import InsideTransaction

_LEASE_BEYOND_LIMIT: Final = timedelta(seconds=10)
_LONGEST_PAUSED: Final = timedelta(seconds=30)
"""Not for ever: a pause may be lifted early."""

ANSWERED: Final = "answered"
REFUSED: Final = "refused"
UNKNOWN: Final = "unknown"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Noted:
    """What is kept of one exchange. `detail` is their id or reason; `cause` says why an outcome is unknown, else None.

    `sent` is False only when surely nothing left this house. `question` and `excerpt` are beginnings, redacted.
    """

    outcome: str
    detail: str = ""
    cause: Cause | None = None
    sent: bool = True
    http_status: int | None = None
    question: str = ""
    excerpt: str = ""


def inquire(
    gateway: Gateway,
    *,
    kind: Inquiry.Kind,
    subject: str,
    send: Callable[[GatewayConnection, str, float], T],
    noted: Callable[[T], Noted],
) -> T | HeldBack:
    """Ask once, or hold it back. `send` takes the connection, the request id and the time limit in seconds.

    Must be called outside a transaction.
    """
    if connection.in_atomic_block:
        raise InsideTransaction
    token = randomness.octets(16).hex()
    limit = timedelta(milliseconds=gateway.time_limit_ms)
    with db_transaction.atomic():
        now = clock.now()
        if gateway.paused_until is not None and now < gateway.paused_until:
            return HeldBack(min(gateway.paused_until - now, _LONGEST_PAUSED), "paused")
        admitted = admission.admit(gateway, token=token, lease=limit + _LEASE_BEYOND_LIMIT, now=now, inquiry=True)
    if isinstance(admitted, HeldBack):
        return admitted
    request_id = request_context.request_id() or references.new(references.Prefix.REQUEST)
    began = clock.monotonic()
    heard = send(connection_to(gateway), request_id, limit.total_seconds())
    took = timedelta(milliseconds=int((clock.monotonic() - began) * 1000))
    said = noted(heard)
    with db_transaction.atomic():
        now = clock.now()
        _write_down(gateway, kind, subject, said, request_id=request_id, took=took, now=now)
        admission.heard(gateway, _as_reply(said), token=token, now=now)
    return heard


def connection_to(gateway: Gateway) -> GatewayConnection:
    return GatewayConnection(gateway.base_url, gateway.secret, gateway.environment)


def _write_down(
    gateway: Gateway, kind: Inquiry.Kind, subject: str, said: Noted, *, request_id: str, took: timedelta, now: datetime
) -> None:
    Inquiry.objects.create(
        gateway_id=gateway.pk,
        kind=kind,
        subject=subject,
        request_id=request_id,
        started_at=now - took,
        duration_ms=took // timedelta(milliseconds=1),
        http_status=said.http_status,
        outcome=said.outcome,
        detail=(said.detail or (said.cause or ""))[:200],
        question=said.question,
        excerpt=said.excerpt,
    )


def _as_reply(said: Noted) -> Reply:
    """Say of an answer what the circuit wants to know: whether the gateway works."""
    return Reply(Confirmed("")) if said.cause is None else Reply(Unknown(said.cause), sent=said.sent)
