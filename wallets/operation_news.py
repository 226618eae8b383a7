"""What we know of an operation that a wallet tells us about: read for the floor that owns its saga."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ledger.controls import clock
from wallets.inbox_provider import KIND as KIND
from wallets.models import RemoteOperation

_KNOWN: Final = (RemoteOperation.State.CONFIRMED, RemoteOperation.State.REJECTED, RemoteOperation.State.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Known:
    """One operation of an operator. `is_open`: a lookup may still tell something; `in_flight`: somebody is asking now."""

    owner: str
    leg: str
    state: str
    is_asked: bool
    is_open: bool
    in_flight: bool


def known_under(key: str, *, operator_id: int | None, environment: str) -> Known | None:
    """Return an operator's operation by its key, or None: another's is none, nor is one that has not committed yet."""
    operation = RemoteOperation.objects.filter(key=key, operator_id=operator_id, environment=environment).first()
    if operation is None:
        return None
    return known_of(operation, now=clock.now())


def known_of(operation: RemoteOperation, *, now: datetime) -> Known:
    """Say what is known of an operation."""
    return Known(
        owner=operation.owner,
        leg=operation.leg,
        state=operation.state,
        is_asked=operation.state != RemoteOperation.State.PREPARED,
        is_open=operation.state not in _KNOWN,
        in_flight=operation.lease_until is not None and operation.lease_until > now,
    )
