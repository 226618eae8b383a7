"""The remote door for a question that moves nothing: a venue's price. Asked while a request waits, and never repeated here.

1 ask nothing while the gateway is paused, its circuit is open, or as many run as it takes; a lease counts among those
2 ask, with no transaction open; the first one after an open circuit goes as a probe
3 write down what was asked and said, give the lease back, tell the circuit what the answer says about the gateway
"""

from datetime import datetime, timedelta
from typing import Final, assert_never, cast

from django.db import connection
from django.db import transaction as db_transaction

from ledger.controls import clock, randomness, references, request_context
from wallets import admission
from wallets.admission import HeldBack
from wallets.gateway_adapters import adapter
from wallets.gateway_port import GatewayConnection, Reply
from wallets.models import Gateway, Inquiry
from wallets.outcomes import Cause, Confirmed, Unknown
from wallets.price_port import Price, PriceHeard, PriceQuestion, PriceRefused, PriceReply, PricesTrades, PriceUnknown
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
        admitted = admission.admit(gateway, token=token, lease=limit + _LEASE_BEYOND_LIMIT, now=now, inquiry=True)
    if isinstance(admitted, HeldBack):
        return PriceUnknown(Cause.NOT_ASKED, sent=False, wait=admitted.wait)
    request_id = request_context.request_id() or references.new(references.Prefix.REQUEST)
    began = clock.monotonic()
    heard = cast(PricesTrades, adapter(gateway.adapter)).price(
        question,
        connection=GatewayConnection(gateway.base_url, gateway.secret, gateway.environment),
        request_id=request_id,
        timeout_seconds=limit.total_seconds(),
    )
    took = timedelta(milliseconds=int((clock.monotonic() - began) * 1000))
    with db_transaction.atomic():
        now = clock.now()
        _write_down(gateway, question, heard, request_id=request_id, took=took, now=now)
        admission.heard(gateway, _as_reply(heard.reply), token=token, now=now)
    return heard.reply


def _write_down(
    gateway: Gateway, question: PriceQuestion, heard: PriceHeard, *, request_id: str, took: timedelta, now: datetime
) -> None:
    outcome, detail = _words(heard.reply)
    Inquiry.objects.create(
        gateway_id=gateway.pk,
        kind=Inquiry.Kind.PRICE,
        subject=question.pool,
        request_id=request_id,
        started_at=now - took,
        duration_ms=took // timedelta(milliseconds=1),
        http_status=heard.http_status,
        outcome=outcome,
        detail=detail[:200],
        question=heard.question,
        excerpt=heard.excerpt,
    )


def _words(reply: PriceReply) -> tuple[str, str]:
    match reply:
        case Price(quote_id=quote_id):
            return "answered", quote_id
        case PriceRefused(reason):
            return "refused", reason
        case PriceUnknown(cause):
            return "unknown", cause.value
        case _:
            assert_never(reply)


def _as_reply(reply: PriceReply) -> Reply:
    """Say of an answer what the circuit wants to know: whether the gateway works."""
    if isinstance(reply, PriceUnknown):
        return Reply(Unknown(reply.cause), sent=reply.sent)
    return Reply(Confirmed(""))
