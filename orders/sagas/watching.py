"""Lookups that go on in the background while people hold an order, a return or a payout. They add evidence and move no money.

They come ever more slowly, but for news of the other side: that is looked up at once.
"""

from datetime import timedelta
from typing import Final

from ledger.controls import clock
from orders.models import Order, Payout, Return, Trade
from orders.sagas import news
from orders.sagas.progress import Progress, Stopped, Wait
from orders.sagas.venue_legs import EXECUTE
from wallets import remote_operations

_FIRST_WATCH: Final = timedelta(minutes=10)
_LONGEST_WATCH: Final = timedelta(hours=1)
_LEGS: Final = ("debit", "credit", "reverse", "submit", EXECUTE)
"""What moves money or a position; that a venue reserves or releases nothing more is no news."""


def watch(subject: Order | Payout | Return | Trade) -> Progress:
    """Look up what is still unknown of it, ever more slowly."""
    age = clock.now() - subject.updated_at
    pause = min(max(age, _FIRST_WATCH), _LONGEST_WATCH)
    if age < _FIRST_WATCH and not news.are_there(subject.reference):
        return Wait(_FIRST_WATCH - age)
    _look(subject)
    return Wait(pause if age >= _FIRST_WATCH else _FIRST_WATCH - age)


def look_back(subject: Order | Payout | Return | Trade) -> Progress:
    """Look once more at what an ended one left absent, since the other side has news of it; a confirmation is late."""
    _look(subject)
    return Stopped()


def _look(subject: Order | Payout | Return | Trade) -> None:
    """Look up what is still unknown of it; of an order, of its trades at an outside venue too.

    When the other side has news, what it had declined is looked at again as well (of a trade its execution): it may say
    otherwise.
    """
    told = news.are_there(subject.reference)
    owners = [subject.reference]
    if isinstance(subject, Order):
        venue = Trade.objects.filter(order_reference=subject.reference, terms__has_key="venue_quote")
        owners += venue.values_list("reference", flat=True)
    for owner in owners:
        for key in remote_operations.open_keys(owner=owner):
            remote_operations.look_up(key)
        for key in remote_operations.declined_keys(owner=owner, legs=_LEGS) if told else ():
            remote_operations.look_again(key)
