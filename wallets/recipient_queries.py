"""Who would be paid? The question to a payout channel before money is held (OneWallet, IPPS query). Moves nothing.

A request waits for it, so that it is an inquiry (`wallets.inquiries`): with a limit, a lease, and kept. A channel that tells
nothing beforehand is asked nothing; while its circuit is open nothing is begun at it.
"""

from datetime import timedelta
from typing import Final, assert_never

import structlog

from ledger.assets import named, text
from ledger.controls import clock
from ledger.money import Money
from wallets import inquiries
from wallets.admission import HeldBack
from wallets.gateway_adapters import channel_adapter
from wallets.gateway_port import GatewayConnection, RecipientHeard, RecipientQuery
from wallets.gateway_port import NotPayable as NotPayable
from wallets.gateway_port import Payable as Payable
from wallets.gateway_port import RecipientAnswer as RecipientAnswer
from wallets.gateway_port import Unanswered as Unanswered
from wallets.inquiries import Noted
from wallets.models import Gateway, Inquiry
from wallets.outcomes import Cause

log = structlog.get_logger(__name__)

_LONGEST_WAIT: Final = timedelta(seconds=30)


def ask_recipient(*, gateway_id: int, reference: str, amount: Money, details: dict[str, str]) -> RecipientAnswer:
    """Ask the channel who these details name. `reference` is the intent's. Must be called outside a transaction."""
    gateway = Gateway.objects.select_related("breaker").get(pk=gateway_id)
    channel = channel_adapter(gateway.adapter)
    query = RecipientQuery(
        reference=reference,
        asset=amount.asset,
        amount_minor=amount.minor,
        amount_text=text(amount.minor, amount.asset),
        scale=named(amount.asset).scale,
        details=details,
    )

    def send(connection: GatewayConnection, request_id: str, seconds: float) -> RecipientHeard:
        return channel.query(query, connection=connection, request_id=request_id, timeout_seconds=seconds)

    if not channel.knows_recipients:
        return _circuit_open(gateway) or send(inquiries.connection_to(gateway), "", 0).answer
    heard = inquiries.inquire(gateway, kind=Inquiry.Kind.RECIPIENT, subject=reference, send=send, noted=_noted)
    if isinstance(heard, HeldBack):
        return Unanswered(Cause.NOT_ASKED, sent=False, wait=heard.wait)
    if isinstance(heard.answer, Unanswered):
        log.warning("recipient_query_unanswered", intent=reference, cause=heard.answer.cause.value)
    return heard.answer


def _circuit_open(gateway: Gateway) -> Unanswered | None:
    breaker = getattr(gateway, "breaker", None)  # none before the first question
    now = clock.now()
    if breaker is None or breaker.open_until is None or now >= breaker.open_until:
        return None
    return Unanswered(Cause.NOT_ASKED, sent=False, wait=min(breaker.open_until - now, _LONGEST_WAIT))


def _noted(heard: RecipientHeard) -> Noted:
    exchange = (heard.http_status, heard.question, heard.excerpt)
    match heard.answer:
        case Payable(lookup_ref=lookup_ref):
            return Noted(inquiries.ANSWERED, lookup_ref, None, True, *exchange)
        case NotPayable(reason):
            return Noted(inquiries.REFUSED, reason, None, True, *exchange)
        case Unanswered(cause, sent):
            return Noted(inquiries.UNKNOWN, "", cause, sent, *exchange)
        case _:
            assert_never(heard.answer)
