"""Orders and intents as streams: what can be watched of them."""

from orders.models import Intent, Order
from webhooks.streams import subjects
from webhooks.streams.subjects import Current


def register() -> None:
    terminal = frozenset(f"order.{state}" for state in Order.State.values if Order(state=state).terminal)
    subjects.register(subjects.Subject(name="orders", find=find, terminal=terminal))
    ends = frozenset(f"intent.{state.upper()}" for state in Intent.State.values if Intent(state=state).terminal)
    subjects.register(subjects.Subject(name="intents", find=find_intent, terminal=ends))


def find(*, operator_id: int, environment: str, reference: str) -> Current | None:
    """Return an order's present state as its events say it."""
    order = Order.objects.filter(reference=reference, operator_id=operator_id, environment=environment).first()
    if order is None:
        return None
    said = order.announcement()
    assert said is not None
    return Current(topic=said.topic, payload=said.payload, sequence=order.version, at=order.updated_at)


def find_intent(*, operator_id: int, environment: str, reference: str) -> Current | None:
    """Return an intent's present state as its events say it: the last one with its reference number."""
    intent = Intent.objects.filter(reference=reference, operator_id=operator_id, environment=environment).first()
    if intent is None:
        return None
    said = intent.announcement()
    assert said is not None
    return Current(topic=said.topic, payload=said.payload, sequence=intent.version, at=intent.updated_at)
