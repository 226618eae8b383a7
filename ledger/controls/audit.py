"""What may be told of a subject's moves outside the house: when its status changed, and to what."""

from dataclasses import dataclass
from datetime import datetime

from ledger.models import Move


@dataclass(frozen=True, slots=True)
class StatusChange:
    sequence: int
    status: str
    at: datetime


def status_changes(subject: str) -> list[StatusChange]:
    """Return a subject's changes of status, oldest first; no actor, cause or evidence."""
    rows = Move.objects.filter(subject=subject).order_by("sequence").values_list("sequence", "to_state", "moved_at")
    return [StatusChange(*row) for row in rows]
