"""Lookups that go on in the background while people hold an order, return or payout. They add evidence and move no money."""

from datetime import timedelta
from typing import Final

from ledger.controls import clock
from orders.models import Order, Payout, Return
from orders.sagas.progress import Progress, Stopped, Wait
from wallets import remote_operations

_FIRST_WATCH: Final = timedelta(minutes=10)
_LONGEST_WATCH: Final = timedelta(hours=1)


def watch(subject: Order | Payout | Return) -> Progress:
    """Look up what is still unknown of it, ever more slowly."""
    age = clock.now() - subject.updated_at
    pause = min(max(age, _FIRST_WATCH), _LONGEST_WATCH)
    if age < _FIRST_WATCH:
        return Wait(_FIRST_WATCH - age)
    for key in remote_operations.open_keys(owner=subject.reference):
        remote_operations.look_up(key)
    return Wait(pause)


def look_back(subject: Order | Payout | Return) -> Progress:
    """Look once more at what an ended one left absent, since the other side has news of it; a confirmation is late."""
    for key in remote_operations.open_keys(owner=subject.reference):
        remote_operations.look_up(key)
    return Stopped()
