"""An operator's wallet says that an operation was updated: evidence that makes the saga look up (DESIGN, Protocol).

Its status is never taken for the truth: the one thing that follows is that the lookup, which we ask and sign, comes now.

- a key that is not here (yet), one that was not asked yet, or one that is being asked at this moment: parked
- an operation whose fate we know: ignored, but one that was rejected and is now said to be confirmed is looked up again
- "pending": ignored, it says nothing new
- an order that people have frozen: parked, as long as it takes
- else the saga is due at once; one that has ended looks once more, and a late effect opens a return
"""

from typing import Final

from ledger.controls import clock
from orders.models import Freeze
from orders.sagas import news
from wallets import operation_news
from webhooks import routing
from webhooks.routing import Applied, Ignored, InboundMessage, Judgement, Parked

_STATUSES: Final = ("confirmed", "rejected", "pending")


def register() -> None:
    routing.handle(operation_news.KIND, hear)


def hear(message: InboundMessage) -> Judgement:
    """Judge one `operation.updated`, in the inbox worker's transaction."""
    status = _status(message.content)
    if not message.subjects or status is None:
        return Ignored("it names no key, or no status of the protocol")
    key = message.subjects[0]
    known = operation_news.known_under(key, operator_id=message.operator_id, environment=message.environment)
    if known is None:
        return Parked(f"{key} is not here (yet)")
    if not known.is_open and (known.state, status) != ("rejected", "confirmed"):
        return Ignored(f"{key} is {known.state} already; the wallet says {status}")
    if not known.is_asked:
        return Parked(f"{key} was not asked yet")
    if known.in_flight:
        return Parked(f"{key} is being asked at this moment")
    if status == "pending":
        return Ignored(f"{key} is {known.state}, and pending says nothing new")
    if Freeze.objects.filter(subject=known.owner, lifted_at__isnull=True).exists():
        return Parked(f"{known.owner} is frozen", counts=False)
    return _look_up_now(known.owner, key, status, environment=message.environment)


def _look_up_now(owner: str, key: str, status: str, *, environment: str) -> Judgement:
    news.tell(owner, environment=environment, now=clock.now())
    return Applied(f"{owner} is due: {key} is looked up; the wallet says {status}")


def _status(content: object) -> str | None:
    inner = content.get("data") if isinstance(content, dict) else None
    status = inner.get("status") if isinstance(inner, dict) else None
    return status if isinstance(status, str) and status in _STATUSES else None
