"""Deliveries that were given up and whose endpoint has not got their event otherwise: what people still have to do."""

from django.db.models import Exists, OuterRef, QuerySet

from webhooks.models import Delivery


def left_to_do() -> QuerySet[Delivery]:
    """Return the dead deliveries without those whose event went, or is on its way, to the same endpoint again."""
    again = Delivery.objects.filter(
        event_id=OuterRef("event_id"),
        endpoint_id=OuterRef("endpoint_id"),
        state__in=[Delivery.State.PENDING, Delivery.State.DELIVERED],
    )
    return Delivery.objects.filter(~Exists(again), state=Delivery.State.DEAD)
