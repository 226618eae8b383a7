"""A venue's price, asked while a request waits (`wallets.inquiries`)."""

from typing import assert_never, cast

from wallets import inquiries
from wallets.admission import HeldBack
from wallets.gateway_adapters import adapter
from wallets.gateway_port import GatewayConnection
from wallets.inquiries import Noted
from wallets.models import Gateway, Inquiry
from wallets.outcomes import Cause
from wallets.price_port import Price, PriceHeard, PriceQuestion, PriceRefused, PriceReply, PricesTrades, PriceUnknown


def ask(*, gateway_id: int, question: PriceQuestion) -> PriceReply:
    """Ask a venue for its price. Must be called outside a transaction."""
    gateway = Gateway.objects.get(pk=gateway_id)

    def send(connection: GatewayConnection, request_id: str, seconds: float) -> PriceHeard:
        venue = cast(PricesTrades, adapter(gateway.adapter))
        return venue.price(question, connection=connection, request_id=request_id, timeout_seconds=seconds)

    heard = inquiries.inquire(gateway, kind=Inquiry.Kind.PRICE, subject=question.pool, send=send, noted=_noted)
    if isinstance(heard, HeldBack):
        return PriceUnknown(Cause.NOT_ASKED, sent=False, wait=heard.wait)
    return heard.reply


def _noted(heard: PriceHeard) -> Noted:
    exchange = (heard.http_status, heard.question, heard.excerpt)
    match heard.reply:
        case Price(quote_id=quote_id):
            return Noted(inquiries.ANSWERED, quote_id, None, True, *exchange)
        case PriceRefused(reason):
            return Noted(inquiries.REFUSED, reason, None, True, *exchange)
        case PriceUnknown(cause, sent):
            return Noted(inquiries.UNKNOWN, "", cause, sent, *exchange)
        case _:
            assert_never(heard.reply)
