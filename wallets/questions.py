"""Puts a claimed question to its gateway. No database here: it runs with no transaction open, or in a thread of its own."""

from ledger import assets
from ledger.controls import clock
from wallets.claiming import Claimed
from wallets.gateway_port import GatewayConnection, RemoteRequest, Reply
from wallets.models import RemoteAttempt
from wallets.outcomes import Cause, Unknown


def put(claimed: Claimed, *, request_id: str) -> tuple[Reply, int]:
    """Ask or look up, whichever was claimed; return the reply, and how many milliseconds it took."""
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
    wallet = claimed.wallet
    where = GatewayConnection(gateway.base_url, gateway.secret, gateway.environment)
    remaining = claimed.time_left - (clock.monotonic() - claimed.started)
    began = clock.monotonic()
    if claimed.kind == RemoteAttempt.Kind.LOOKUP:
        reply = wallet.look_up(request, connection=where, request_id=request_id, timeout_seconds=claimed.time_left)
    elif remaining <= 0 or operation.ask_until is None:
        reply = Reply(Unknown(Cause.TIMEOUT), sent=False)  # too late to send: the lookups will tell
    else:
        reply = wallet.ask(
            request, connection=where, request_id=request_id, not_after=operation.ask_until, timeout_seconds=remaining
        )
    return reply, int((clock.monotonic() - began) * 1000)
