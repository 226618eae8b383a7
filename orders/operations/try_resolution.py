"""Try a resolution of a review case: carried out as people would decide it, looked at, and rolled back (DESIGN, dry run)."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

from django.db import transaction as db_transaction

from orders.models import Payout
from orders.reviews.carrying_out import carry_out, locked
from orders.reviews.resolutions import Resolution
from orders.sagas import payout as payout_saga

Seen = TypeVar("Seen")

_NOBODY: Final = "nobody: this is tried, and rolled back"


def try_resolution(
    *, case_reference: str, resolution: Resolution, look: Callable[[], Seen], now: datetime
) -> tuple[Seen, Seen]:
    """Return what `look` sees before and after the resolution, under its locks. Everything that it writes is rolled back.

    Raises what carrying it out would.
    """
    with db_transaction.atomic():
        matter, case = locked(case_reference)
        before = look()
        carry_out(resolution, matter, case, reason=_NOBODY, agreement=_NOBODY, actor=_NOBODY, second=_NOBODY, now=now)
        _follow(case.subject)
        after = look()
        db_transaction.set_rollback(True)
    return before, after


def _follow(subject: str) -> None:
    """A payout's saga takes the step that is decided at once, and asks nobody for it: its hold settles, or is released."""
    payout = Payout.objects.filter(intent_reference=subject).first()
    if payout is not None and payout.state in (Payout.State.SETTLING, Payout.State.RELEASING):
        payout_saga.advance(payout)
