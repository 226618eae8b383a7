"""The saga of a reservation that is given up: the venue is asked to release it until it answers, also after the order's end.

1 whoever gives a trade up writes the release down in the same transaction, with a work row of its own (`given_up`)
2 a reservation whose fate is unknown is waited for first: until its `Not-After` has passed it might still arrive
3 the venue is asked; an unknown answer is looked up, ever more slowly, and never goes to people: no money hangs on it
4 confirmed, or refused for sure: done. So is one that turns out to be executed after all: it is not released any more, and a
  release that was never asked is withdrawn
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, assert_never

import structlog
from django.db import transaction as db_transaction

from ledger.controls import bell, clock, metrics, references
from ledger.controls.moves import Birth, Change, Why
from ledger.environments import Environment
from orders import trade_terms, transitions
from orders.locks import lock_order
from orders.models import Order, SagaRun, Trade
from orders.sagas import venue_legs
from orders.sagas.progress import Progress, Stopped, Wait
from orders.sagas.venue_legs import EXECUTE, RELEASE, RESERVE
from wallets import remote_operations
from wallets.outcomes import Confirmed, Rejected, Unknown

log = structlog.get_logger(__name__)

_SKEW: Final = timedelta(seconds=5)
_LONGEST: Final = timedelta(minutes=30)
_SHORTEST: Final = timedelta(seconds=1)
_MAY_STAND: Final = ("asked", "unknown", "absent", "confirmed")


def register() -> None:
    metrics.register(
        "holdfast_releases_unanswered",
        "Reservations at outside venues that were given up and whose release is not answered yet.",
        "gauge",
        _unanswered,
    )


def _unanswered() -> Iterator[tuple[Mapping[str, str], int]]:
    for environment in Environment.values:
        rows = SagaRun.objects.filter(environment=environment, subject__startswith=f"{references.Prefix.TRADE}_")
        yield {"environment": environment}, rows.count()


def given_up(order: Order, trade: Trade, *, now: datetime) -> list[Birth | Change]:
    """Return what goes along, in the caller's transaction, when a trade is given up.

    Legs that were never asked are withdrawn; a reservation that may stand at the venue is released.
    """
    if not trade_terms.is_outside(trade):
        return []
    changes: list[Birth | Change] = []
    for name in (RESERVE, EXECUTE):
        found = venue_legs.standing(trade, name, lock=True)
        if found is not None and found.state == "prepared":
            withdrawal = remote_operations.withdrawal(venue_legs.leg(order, trade, name), now=now)
            changes += [withdrawal] if withdrawal is not None else []
    reserve = venue_legs.standing(trade, RESERVE)
    if reserve is not None and reserve.state in _MAY_STAND:
        changes.append(remote_operations.birth(venue_legs.leg(order, trade, RELEASE)))
        row = SagaRun(subject=trade.reference, environment=trade.environment, available_at=now)
        SagaRun.objects.bulk_create([row], ignore_conflicts=True)
        bell.ring_after_commit("sagas")
    return changes


def advance(trade: Trade) -> Progress:
    """Drive the release as far as it goes now."""
    release = venue_legs.standing(trade, RELEASE)
    if release is None or trade.state not in (Trade.State.RELEASED, Trade.State.FAILED):
        return Stopped()
    if wait := _until_reserve_is_over(trade):
        return Wait(wait)
    order = Order.objects.get(reference=trade.order_reference)
    executed = venue_legs.standing(trade, EXECUTE)
    if executed is not None and executed.confirmed and release.state in ("prepared", "absent"):
        return _not_released(order, trade)
    performed = remote_operations.perform(venue_legs.leg(order, trade, RELEASE), waits=lambda: _waits(trade))
    match performed.outcome:
        case Confirmed():
            return Stopped()
        case Rejected(reason):
            log.error("release_refused", trade=trade.reference, reason=reason)
            return Stopped()
        case Unknown():
            return Wait(min(max(performed.wait, _SHORTEST), _LONGEST))
        case _:
            assert_never(performed.outcome)


def _not_released(order: Order, trade: Trade) -> Progress:
    """Ask for no release of what the venue has executed: what it did is a late effect, and people's."""
    with db_transaction.atomic():
        if not _waits(trade):
            return Stopped()
        now = clock.now()
        if (withdrawal := remote_operations.withdrawal(venue_legs.leg(order, trade, RELEASE), now=now)) is not None:
            transitions.withdraw(withdrawal, why=Why(transitions.SAGA, "executed after all"), now=now)
    return Stopped()


def _until_reserve_is_over(trade: Trade) -> timedelta | None:
    """Return how long a reservation that nobody knows of could still arrive at the venue; None when it cannot."""
    reserve = venue_legs.standing(trade, RESERVE)
    if reserve is None or reserve.state not in ("asked", "unknown") or reserve.ask_until is None:
        return None
    left = reserve.ask_until + _SKEW - clock.now()
    return left if left > timedelta(0) else None


def _waits(trade: Trade) -> bool:
    """Lock order and trade in the claim's transaction: only what is given up is released, and nothing of a frozen order."""
    lock_order(trade.order_reference)
    found = Trade.objects.select_for_update().get(pk=trade.pk)
    return found.state in (Trade.State.RELEASED, Trade.State.FAILED)
