"""Take an offer back before it is accepted."""

from datetime import datetime

from ledger.controls.refusals import NotFound
from ledger.controls.rest.caller import Caller
from orders import transitions
from orders.locks import lock_quote
from orders.models import Quote


def cancel_quote(*, caller: Caller, quote_reference: str, now: datetime) -> Quote:
    """Cancel an active quote; one that is cancelled already stays so. Raises NotFound or IllegalMove."""
    quote = lock_quote(quote_reference, operator_id=caller.operator_id, environment=caller.environment)
    if quote is None:
        raise NotFound
    if quote.state != Quote.State.CANCELLED:
        transitions.cancel(quote, actor=caller.actor, now=now)
    return quote
