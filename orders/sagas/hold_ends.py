"""How a step ends a hold that may have ended before (OneWallet: posted already is success).

Ended the way it is wanted, it is success: the move is made, without postings. Ended the other way, nobody guesses: nothing
moves here, and the saga decides by the ledger's word.
"""

from collections.abc import Callable, Mapping
from typing import Final

from django.db import transaction as db_transaction

from ledger.holds import HoldState
from ledger.journal import PostingRefused

POSTED: Final = frozenset({HoldState.POSTED})
GIVEN_BACK: Final = frozenset({HoldState.VOIDED, HoldState.EXPIRED})

_SAID: Final[Mapping[object, HoldState]] = {
    "pending_transfer_already_posted": HoldState.POSTED,
    "pending_transfer_already_voided": HoldState.VOIDED,
    "pending_transfer_expired": HoldState.EXPIRED,
}


def end_hold(
    *, wanted: frozenset[HoldState], make: Callable[[], None], already: Callable[[], None]
) -> HoldState | None:
    """Make the move that ends the hold, or the same move `already`, without its postings, when it has ended so before.

    Each reads its rows anew: what the first has moved is rolled back. Returns None, or how the hold has ended otherwise:
    nothing was moved then. Raises PostingRefused for every other refusal.
    """
    try:
        with db_transaction.atomic():
            make()
        return None
    except PostingRefused as refused:
        ended = _SAID.get(refused.fields.get("ledger_code"))
        if ended is None:
            raise
    if ended not in wanted:
        return ended
    already()
    return None
