"""Take a line of the other side's statement as evidence that a movement of ours happened. It moves nothing by itself: a saga
that waits goes on from it, a review offers what it proves, to as many people as that takes.
"""

from datetime import datetime

from django.db import transaction as db_transaction

from ledger.controls import bell
from wallets import statement_evidence
from wallets.statement_evidence import Shown


def prove_by_statement(*, key: str, shown: Shown, now: datetime) -> None:
    """Store it. Raises NotFound, or statement_evidence.NothingOpen or LineSaysOtherwise."""
    with db_transaction.atomic():
        statement_evidence.store(key=key, shown=shown, now=now)
        bell.ring_after_commit("sagas")
