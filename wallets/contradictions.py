"""The other side confirms what it had rejected for sure. The operation stays rejected (a terminal state never changes);
the house is told, and whoever owns it decides what that means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ledger.controls import event_log
from ledger.money import Money
from wallets.models import RemoteAttempt, RemoteOperation

TOPIC: Final = "remote_operation.contradicted"


@dataclass(frozen=True, slots=True)
class Contradicted:
    """One movement that was rejected and then confirmed."""

    key: str
    leg: str
    amount: Money


def told(operation: RemoteOperation, *, attempt: int, now: datetime) -> None:
    """Record the event; the caller holds the operation locked. Its version grows no more, so sequences beyond it are free."""
    event_log.record_internal(
        environment=operation.environment,
        operator_id=operation.operator_id,
        topic=TOPIC,
        aggregate=operation.reference,
        payload={"key": operation.key, "owner": operation.owner, "leg": operation.leg},
        sequence=operation.version + attempt,
        now=now,
    )


def of(owner: str) -> Sequence[Contradicted]:
    """Return an owner's movements that the other side has both rejected and confirmed."""
    rejected = list(RemoteOperation.objects.filter(owner=owner, state=RemoteOperation.State.REJECTED).order_by("pk"))
    if not rejected:
        return []
    confirmed = RemoteAttempt.objects.filter(operation_id__in=[one.pk for one in rejected], outcome="confirmed")
    both = set(confirmed.values_list("operation_id", flat=True))
    return [
        Contradicted(one.key, one.leg, Money(int(one.amount_minor), one.asset)) for one in rejected if one.pk in both
    ]
