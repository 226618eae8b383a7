"""How a hold stands: read by the key of the transaction that placed it."""

from ledger.books import number_of
from ledger.models import Hold, LedgerKey
from ledger.models import HoldState as HoldState


def state_of(*, environment: str, key: str) -> HoldState | None:
    """Return the state of the hold that was placed under a key; None when there is none."""
    placed = LedgerKey.objects.filter(book_id=number_of(environment), key=key).values("transaction_id")
    state = Hold.objects.filter(transaction_id__in=placed).values_list("state", flat=True).first()
    return None if state is None else HoldState(state)
