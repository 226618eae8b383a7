"""Who hears, in the same transaction, of what is posted outside any flow: floors above register here, in `AppConfig.ready()`.

A direct posting (`direct_posting.post`) and what two people decided (`adjustments.approve`) call both steps around the
ledger's call. A listener is local: it locks rows before, and writes rows after; what it raises rolls the posting back.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from ledger import journal
from ledger.drafts import Draft

_CREATED = "created"


class Listener(Protocol):
    def before(self, *, environment: str, drafts: Sequence[Draft]) -> None:
        """Lock what the drafts are about, in the order of locks: the book's accounts come after."""

    def after(self, *, environment: str, transactions: Sequence[UUID], now: datetime) -> None:
        """Hear of the transactions that were written now, in their order: none that stood before, none refused."""


_listeners: list[Listener] = []


def register(listener: Listener) -> None:
    _listeners.append(listener)


def prepare(*, environment: str, drafts: Sequence[Draft]) -> None:
    """Let the listeners lock. To be called before the ledger, in its transaction."""
    for listener in _listeners:
        listener.before(environment=environment, drafts=drafts)


def tell(*, environment: str, results: Sequence[journal.Result], now: datetime) -> None:
    """Tell the listeners what was written. To be called after the ledger, in its transaction."""
    written = [
        result.transaction_id for result in results if result.code == _CREATED and result.transaction_id is not None
    ]
    if not written:
        return
    for listener in _listeners:
        listener.after(environment=environment, transactions=written, now=now)
