"""The remote door for a question that moves nothing: a venue's price. No row of its own; the same pause and circuit.

1 ask nothing while the gateway is paused, or its circuit is open; the first one after that goes as a probe
2 ask, with no transaction open
3 tell the circuit what the answer says about the gateway
"""

from datetime import timedelta
from typing import Final, cast

from django.db import connection
from django.db import transaction as db_transaction

from ledger.controls import clock, randomness, references, request_context
from wallets import admission
from wallets.admission import Admitted
from wallets.gateway_adapters import adapter
from wallets.gateway_port import GatewayConnection, Reply
from wallets.models import Gateway
from wallets.outcomes import Cause, Confirmed, Unknown
from wallets.price_port import PriceQuestion, PriceReply, PricesTrades, PriceUnknown
from wallets.remote_operations import InsideTransaction

_LEASE_BEYOND_LIMIT: Final = timedelta(seconds=10)


def ask(*, gateway_id: int, question: PriceQuestion) -> PriceReply:
    """Ask a venue for its price. Must be called outside a transaction."""
    if connection.in_atomic_block:
        raise InsideTransaction
    gateway = Gateway.objects.get(pk=gateway_id)
    token = randomness.octets(16).hex()
    limit = timedelta(milliseconds=gateway.time_limit_ms)
    with db_transaction.atomic():
        now = clock.now()
        if gateway.paused_until is not None and now < gateway.paused_until:
            return PriceUnknown(Cause.NOT_ASKED, sent=False)
        admitted = admission.admit(gateway, token=token, lease=limit + _LEASE_BEYOND_LIMIT, now=now)
    if not isinstance(admitted, Admitted):
        return PriceUnknown(Cause.NOT_ASKED, sent=False)
    reply = cast(PricesTrades, adapter(gateway.adapter)).price(
        question,
        connection=GatewayConnection(gateway.base_url, gateway.secret, gateway.environment),
        request_id=request_context.request_id() or references.new(references.Prefix.REQUEST),
        timeout_seconds=limit.total_seconds(),
    )
    with db_transaction.atomic():
        admission.heard(gateway, _as_reply(reply), token=token, now=clock.now())
    return reply


def _as_reply(reply: PriceReply) -> Reply:
    """Say of an answer what the circuit wants to know: whether the gateway works."""
    if isinstance(reply, PriceUnknown):
        return Reply(Unknown(reply.cause), sent=reply.sent)
    return Reply(Confirmed(""))
