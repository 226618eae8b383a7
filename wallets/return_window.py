"""When a confirmed payment is read again, whether it came back: the net under the bank's own event, for a bounded time.

A day after it was confirmed, then twice as late each time, for a week, or for the channel's pending horizon if that is
longer. What an answer says has come back already is looked at at once.
"""

from datetime import datetime, timedelta
from typing import Final

from wallets.models import Gateway, RemoteOperation
from wallets.outcomes import Confirmed

LEG: Final = "submit"
SOON: Final = timedelta(minutes=10)
DAILY: Final = timedelta(days=1)
_WINDOW: Final = timedelta(days=7)


def first_read(operation: RemoteOperation, outcome: Confirmed, *, now: datetime) -> dict[str, object]:
    """Return what a payment's confirmation sets beside its other columns; nothing for other movements."""
    if operation.leg != LEG:
        return {}
    return {"read_due_at": now if outcome.came_back else now + DAILY}


def next_read(operation: RemoteOperation, gateway: Gateway, *, now: datetime) -> datetime | None:
    """Return when it is read next, or None: its time is over."""
    assert operation.answered_at is not None, "it is confirmed"
    age = now - operation.answered_at
    window = max(_WINDOW, timedelta(milliseconds=gateway.pending_horizon_ms))
    return None if age >= window else operation.answered_at + min(max(2 * age, DAILY), window)
