"""Events that the relay has given up: shown, and sent on again by people, in the caller's transaction.

A resent event is its aggregate's first again: those behind it that still wait go after it. What passed before stays passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import connection

from ledger.controls import bell
from ledger.controls.refusals import NotFound

log = structlog.get_logger(__name__)

MOST = 1000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    reference: str
    topic: str
    aggregate: str
    sequence: int
    attempts: int
    last_error: str
    dead_at: datetime


def waiting() -> list[DeadLetter]:
    """Return the dead letters, oldest first, a thousand at most."""
    rows = _rows(
        "SELECT e.reference, e.topic, q.aggregate, q.sequence, q.attempts, q.last_error, q.dead_at"
        " FROM ledger_queuedevent AS q JOIN ledger_event AS e ON e.id = q.event_id WHERE q.dead_at IS NOT NULL"
        " ORDER BY q.dead_at, q.event_id LIMIT %s",
        [MOST],
    )
    return [DeadLetter(*row) for row in rows]


def resend(*, reference: str, actor: str, now: datetime) -> None:
    """Have the relay try a dead event again. Raises NotFound where no dead letter has this reference."""
    if not _revive("q.event_id = (SELECT id FROM ledger_event WHERE reference = %s)", [reference], now):
        raise NotFound(f"There is no dead letter {reference}.")
    log.info("dead_letter.resent", event_reference=reference, actor=actor)


def resend_all(*, actor: str, now: datetime) -> int:
    """Have the relay try the oldest dead events again, a thousand at most; return how many."""
    oldest = "SELECT event_id FROM ledger_queuedevent WHERE dead_at IS NOT NULL ORDER BY dead_at, event_id LIMIT %s"
    count = _revive(f"q.event_id IN ({oldest})", [MOST], now)
    log.info("dead_letter.all_resent", count=count, actor=actor)
    return count


def _revive(which: str, parameters: Sequence[str | int | datetime], now: datetime) -> int:
    rows = _rows(
        "UPDATE ledger_queuedevent AS q SET dead_at = NULL, attempts = 0, available_at = %s"  # noqa: S608 (two literals)
        f" WHERE q.dead_at IS NOT NULL AND {which} RETURNING q.event_id",
        [now, *parameters],
    )
    if rows:
        bell.ring_after_commit("relay")
    return len(rows)


def _rows(question: str, parameters: Sequence[str | int | datetime]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(question, parameters)
        return list(cursor.fetchall())
