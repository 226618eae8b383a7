"""Who would be paid? The question to a payout channel before money is held (OneWallet, IPPS query). Moves nothing.

Asked with no transaction open; a channel whose circuit is open is not asked.
"""

import structlog
from django.db import connection

from ledger.assets import named, text
from ledger.controls import clock, references, request_context
from ledger.money import Money
from wallets.gateway_adapters import channel_adapter
from wallets.gateway_port import GatewayConnection, RecipientQuery
from wallets.gateway_port import NotPayable as NotPayable
from wallets.gateway_port import Payable as Payable
from wallets.gateway_port import RecipientAnswer as RecipientAnswer
from wallets.gateway_port import Unanswered as Unanswered
from wallets.models import Gateway
from wallets.outcomes import Cause

log = structlog.get_logger(__name__)


class InsideTransaction(RuntimeError):
    """A channel was about to be asked inside a database transaction."""


def ask_recipient(*, gateway_id: int, reference: str, amount: Money, details: dict[str, str]) -> RecipientAnswer:
    """Ask the channel who these details name. `reference` is the intent's."""
    if connection.in_atomic_block:
        raise InsideTransaction
    gateway = Gateway.objects.select_related("breaker").get(pk=gateway_id)
    breaker = getattr(gateway, "breaker", None)
    if breaker is not None and breaker.open_until is not None and clock.now() < breaker.open_until:
        return Unanswered(Cause.CONNECTION)
    query = RecipientQuery(
        reference=reference,
        asset=amount.asset,
        amount_minor=amount.minor,
        amount_text=text(amount.minor, amount.asset),
        scale=named(amount.asset).scale,
        details=details,
    )
    answer = channel_adapter(gateway.adapter).query(
        query,
        connection=GatewayConnection(gateway.base_url, gateway.secret, gateway.environment),
        request_id=request_context.request_id() or references.new(references.Prefix.REQUEST),
        timeout_seconds=gateway.time_limit_ms / 1000,
    )
    if isinstance(answer, Unanswered):
        log.warning("recipient_query_unanswered", intent=reference, cause=answer.cause.value)
    return answer
