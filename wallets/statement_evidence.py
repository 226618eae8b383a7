"""A line of the other side's own statement, stored as the answer to what became of a movement (DESIGN.md section 6).

Their statement is looked up by the movement's key or their id, never by an amount; what it shows is kept like the answer of any
lookup, with the line's reference in the place of the question. It proves that the movement happened and moves no money. That
something is not in a statement proves nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction as db_transaction

from ledger.controls import references, request_context
from ledger.controls.refusals import NotFound, Refusal
from wallets import return_window, transitions
from wallets.models import RemoteAttempt, RemoteOperation
from wallets.outcomes import Confirmed

_State = RemoteOperation.State
_OPEN = (_State.ASKED, _State.UNKNOWN, _State.ABSENT)


class NothingOpen(Refusal):
    """What became of this movement is known, or it was never asked: a statement's line adds nothing."""

    code = "movement_not_open"
    status = 409


class LineSaysOtherwise(Refusal):
    """The line is of another asset or amount than the movement."""

    code = "line_says_otherwise"
    status = 409


@dataclass(frozen=True, slots=True)
class Shown:
    """What the line shows. `their_id` may be empty; `line` is its reference, `said` the line as it came, `by` who took it."""

    asset: str
    amount_minor: int
    their_id: str
    line: str
    said: str
    by: str


def open_movement(
    *, environment: str, operator_id: int | None, legs: tuple[str, ...], key: str, owner: str, their_id: str
) -> RemoteOperation | None:
    """Return the one open movement that the ids name, in the order in which they are believed; None when none is."""
    found = RemoteOperation.objects.filter(environment=environment, state__in=_OPEN, leg__in=legs)
    if operator_id is not None:
        found = found.filter(operator_id=operator_id)
    for named in ({"key": key}, {"owner": owner}, {"remote_ref": their_id}):
        if all(named.values()):
            rows = list(found.filter(**named)[:2])
            if len(rows) == 1:
                return rows[0]
    return None


def store(*, key: str, shown: Shown, now: datetime) -> None:
    """Store that the movement happened. Raises NotFound, NothingOpen or LineSaysOtherwise."""
    with db_transaction.atomic():
        operation = RemoteOperation.objects.select_for_update().filter(key=key).first()
        if operation is None:
            raise NotFound(f"There is no movement {key}.")
        if operation.state not in _OPEN:
            raise NothingOpen
        if (operation.asset, int(operation.amount_minor)) != (shown.asset, shown.amount_minor):
            raise LineSaysOtherwise
        number = RemoteAttempt.objects.filter(operation_id=operation.pk).count() + 1
        request_id = request_context.request_id() or references.new(references.Prefix.REQUEST)
        RemoteAttempt.objects.create(
            operation_id=operation.pk,
            number=number,
            kind=RemoteAttempt.Kind.LOOKUP,
            request_id=request_id,
            started_at=now,
            duration_ms=0,
            outcome="confirmed",
            detail=shown.their_id[:200],
            question=f"their statement, line {shown.line}"[:500],
            excerpt=shown.said[:500],
        )
        transitions.answered(
            operation,
            "confirm",
            values={
                **return_window.first_read(operation, Confirmed(shown.their_id), now=now),
                "remote_ref": shown.their_id[:120] or operation.remote_ref,
                "answered_at": now,
                "unknown_cause": "",
                "late": operation.state == _State.ABSENT,
            },
            evidence={"attempt": number, "request_id": request_id, "statement_line": shown.line, "taken_by": shown.by},
            now=now,
        )
