"""The tables of the ground floor. The journal's own tables are written in SQL (`ledger/sql/`), never by the ORM."""

from ledger.models.book import Asset, Book
from ledger.models.chart import ChartVersion, GLMapping, PostingTemplate, TemplateStamp
from ledger.models.controls import Approval, ArchivedEvent, Claim, Event, LegalMove, Move, QueuedEvent
from ledger.models.journal import Account, Hold, HoldState, LedgerKey, Posting, Transaction
from ledger.models.periods import Closure, Period, PeriodChange
from ledger.models.seals import Block, BlockMember, Unsealed

__all__ = [
    "Account",
    "Approval",
    "ArchivedEvent",
    "Asset",
    "Block",
    "BlockMember",
    "Book",
    "ChartVersion",
    "Claim",
    "Closure",
    "Event",
    "GLMapping",
    "Hold",
    "HoldState",
    "LedgerKey",
    "LegalMove",
    "Move",
    "Period",
    "PeriodChange",
    "Posting",
    "PostingTemplate",
    "QueuedEvent",
    "TemplateStamp",
    "Transaction",
    "Unsealed",
]
