"""When an unknown operation is looked up again, which lookups count, and when the automatic path has ended."""

from datetime import datetime, timedelta

from wallets.models import Gateway, RemoteOperation
from wallets.outcomes import Cause, Outcome, Unknown

_MOST_DOUBLINGS = 10


def wait(gateway: Gateway, operation: RemoteOperation, outcome: Outcome) -> timedelta:
    """Return how long until the next lookup: doubling, or the slower schedule while the other side works."""
    if isinstance(outcome, Unknown) and outcome.cause is Cause.PENDING:
        return timedelta(milliseconds=gateway.pending_backoff_ms)
    return backoff(gateway, operation.counted_lookups)


def backoff(gateway: Gateway, lookups: int) -> timedelta:
    return timedelta(milliseconds=gateway.requery_backoff_ms * 2 ** min(lookups, _MOST_DOUBLINGS))


def counts(gateway: Gateway, operation: RemoteOperation, outcome: Outcome, *, now: datetime) -> bool:
    """Tell whether a lookup counts towards the cap: not while the other side says it is still working."""
    if not isinstance(outcome, Unknown) or outcome.cause is not Cause.PENDING or operation.asked_at is None:
        return True
    return now > operation.asked_at + timedelta(milliseconds=gateway.pending_horizon_ms)


def is_over(gateway: Gateway, operation: RemoteOperation, *, now: datetime) -> bool:
    """Tell whether the automatic path has ended: the cap is reached, or its lookups would be through by now.

    The second is for lookups that were held back: an operator that is down stops no order for longer than one that
    answers nothing.
    """
    if operation.asked_at is None:
        return False
    if operation.counted_lookups >= gateway.requery_cap:
        return True
    span = timedelta(milliseconds=gateway.time_limit_ms * (gateway.requery_cap + 1))
    for lookups in range(gateway.requery_cap + 1):
        span += backoff(gateway, lookups)
    if operation.unknown_cause == Cause.PENDING:
        span += timedelta(milliseconds=gateway.pending_horizon_ms)
    return now > operation.asked_at + span
