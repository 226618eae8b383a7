"""Payments that came back without a word: confirmed payouts of recent days, read again. Drain "payout_returns".

1 take the payments whose time has come (`wallets.return_window` says when, and for how long)
2 ask each once what it is now, no transaction open; the answer is kept as evidence
3 what came back and nobody has told is a return, as it is when the bank tells it: people say whether it is so
4 say when it is read next: soon, when it was not answered, or its payout has not ended, or is frozen
"""

from typing import Final

from ledger.controls import clock, drains
from orders.locks import IntentFrozen
from orders.models import Payout
from orders.operations.return_payout import hear_read_return
from wallets import payment_reads
from wallets.payment_reads import Paid

KIND: Final = "payout_returns"
_BATCH: Final = 50


def read_due() -> int:
    """Read a batch; return how many."""
    found = payment_reads.due(now=clock.now(), most=_BATCH)
    for paid in found:
        read_one(paid)
    return len(found)


def read_one(paid: Paid) -> bool:
    """Read one payment, and open what came back; return whether anything did. Outside any transaction.

    It is put off first: whatever befalls this read, it is not the first in the queue again at once.
    """
    payment_reads.put_off(paid, now=clock.now(), soon=True, keep=True)
    read = payment_reads.read(paid)
    heard = True
    if read.came_back is not None and Payout.objects.filter(reference=paid.owner).exists():
        try:
            heard = hear_read_return(
                payout_reference=paid.owner, came_back=read.came_back, denied=read.denied, now=clock.now()
            )
        except IntentFrozen:
            heard = False
    payment_reads.put_off(paid, now=clock.now(), soon=not (heard and read.answered), keep=not heard)
    return read.came_back is not None


def register() -> None:
    drains.register(drains.Drain(kind=KIND, work=read_due, depth=lambda: payment_reads.count_due(now=clock.now())))
