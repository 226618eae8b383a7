"""Orders as streams: what can be watched of them."""

from orders.models import Order
from webhooks.streams import subjects
from webhooks.streams.subjects import Current


def register() -> None:
    terminal = frozenset(f"order.{state}" for state in Order.State.values if Order(state=state).terminal)
    subjects.register(subjects.Subject(name="orders", find=find, terminal=terminal))


def find(*, operator_id: int, environment: str, reference: str) -> Current | None:
    """Return an order's present state as its events say it."""
    order = Order.objects.filter(reference=reference, operator_id=operator_id, environment=environment).first()
    if order is None:
        return None
    said = order.announcement()
    assert said is not None
    return Current(topic=said.topic, payload=said.payload, sequence=order.version, at=order.updated_at)
