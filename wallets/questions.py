"""Puts a claimed question to its gateway. No database here: it runs with no transaction open, or in a thread of its own."""

import structlog

from ledger import assets
from ledger.controls import clock
from wallets.claiming import Claimed
from wallets.gateway_port import GatewayConnection, RemoteRequest, Reply
from wallets.models import RemoteAttempt
from wallets.outcomes import Cause, Unknown

log = structlog.get_logger(__name__)


def put(claimed: Claimed, *, request_id: str) -> tuple[Reply, int]:
    """Ask or look up, whichever was claimed; return the reply, and how many milliseconds it took.

    What an adapter raises is an answer too: unknown, since nobody knows what it had sent. It is looked up, then people's.
    """
    operation = claimed.operation
    gateway = claimed.gateway
    request = RemoteRequest(
        key=operation.key,
        leg=operation.leg,
        asset=operation.asset,
        amount_minor=int(operation.amount_minor),
        amount_text=assets.text(int(operation.amount_minor), operation.asset),
        user_reference=operation.request["user_reference"],
        owner=operation.owner,
        metadata={"partner_order_id": operation.request["partner_order_id"]},
        details=operation.request.get("details", {}),
    )
    began = clock.monotonic()
    try:
        reply = _reply(claimed, request, request_id=request_id)
    except Exception:
        log.exception("adapter_defect", remote_key=operation.key, gateway_id=gateway.pk)
        reply = Reply(Unknown(Cause.CONNECTION))
    return reply, int((clock.monotonic() - began) * 1000)


def _reply(claimed: Claimed, request: RemoteRequest, *, request_id: str) -> Reply:
    gateway, ask_until = claimed.gateway, claimed.operation.ask_until
    where = GatewayConnection(gateway.base_url, gateway.secret, gateway.environment)
    remaining = claimed.time_left - (clock.monotonic() - claimed.started)
    if claimed.kind == RemoteAttempt.Kind.LOOKUP:
        return claimed.wallet.look_up(
            request, connection=where, request_id=request_id, timeout_seconds=claimed.time_left
        )
    if remaining <= 0 or ask_until is None:
        return Reply(Unknown(Cause.TIMEOUT), sent=False)  # too late to send: the lookups will tell
    return claimed.wallet.ask(
        request, connection=where, request_id=request_id, not_after=ask_until, timeout_seconds=remaining
    )
