"""Provider transactions that were booked, each once (rule I2): also when it is announced under several event ids."""

from datetime import datetime

from webhooks.models import ProviderTransaction
from webhooks.routing import InboundMessage


def book_once(message: InboundMessage, *, kind: str, now: datetime) -> bool:
    """Claim the message's transaction for a booking of this kind, in the handler's transaction.

    Returns False when it was booked before, under whatever event id: the handler then ignores the message. Waits for a
    twin that is being booked at this moment. The message names a transaction.
    """
    assert message.transaction, "the provider's mapping names no transaction"
    _, first = ProviderTransaction.objects.get_or_create(
        provider_id=message.provider_id,
        reference=message.transaction,
        kind=kind,
        defaults={"event_reference": message.reference, "booked_at": now},
    )
    return first
