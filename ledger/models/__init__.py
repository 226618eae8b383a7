"""The tables of the ground floor. The journal's own tables are written in SQL (`ledger/sql/`), never by the ORM."""

from ledger.models.book import Asset, Book
from ledger.models.controls import Approval, ArchivedEvent, Claim, Event, LegalMove, Move, QueuedEvent
from ledger.models.journal import Account, Delta, Hold, LedgerKey, Period, Posting, Transaction

__all__ = [
    "Account",
    "Approval",
    "ArchivedEvent",
    "Asset",
    "Book",
    "Claim",
    "Delta",
    "Event",
    "Hold",
    "LedgerKey",
    "LegalMove",
    "Move",
    "Period",
    "Posting",
    "QueuedEvent",
    "Transaction",
]
