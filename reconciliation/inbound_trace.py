"""What came in about an order, a payout or a transfer, found by the ids that each inbound event names."""

from collections.abc import Sequence
from typing import Any, Final

from ledger.controls.rest.answers import instant, instant_or_none
from orders.models import Intent, Order
from webhooks.models import InboundEvent

_MOST: Final = 1000


def inbound_events(owner: Order | Intent, named: Sequence[str], *, inside: bool) -> list[InboundEvent]:
    """Return what came in about these ids. To its partner only what the partner itself has sent: a venue's or a bank's is
    nobody's but the house's.
    """
    rows = InboundEvent.objects.filter(environment=owner.environment, subjects__has_any_keys=list(named))
    mine = rows if inside else rows.filter(operator_id=owner.operator_id or 0)
    return list(mine.order_by("created_at", "pk")[:_MOST])


def inbound_rows(events: Sequence[InboundEvent], *, inside: bool) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    for event in events:
        entry: dict[str, Any] = {
            "event_id": event.reference,
            "provider_event_id": event.provider_event_id,
            "kind": event.kind,
            "status": event.state,
            "payload_reference": event.payload_reference,
            "request_id": event.request_id,
            "received_time": instant(event.created_at),
            "processed_time": instant_or_none(event.judged_at),
        }
        if inside:
            entry |= {"provider": event.provider_code, "subjects": event.subjects, "reason": event.reason}
        shown.append(entry)
    return shown
