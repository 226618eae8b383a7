"""The one door for moves: state, audit, event and postings commit together, or not at all.

`move` takes every change of one step: it guards each by its FSM, writes each row under its expected version (in the
caller's order: order, quote, trade, remote operation, review case), then the audit rows and events in one statement
that holds the business date open, then the postings in one ledger call.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django_fsm import TransitionNotAllowed

from ledger import journal
from ledger.controls import bell, planned_rows, references, request_context
from ledger.controls.events import Announcement
from ledger.controls.refusals import Refusal
from ledger.drafts import Draft


class IllegalMove(Refusal):
    """The state that this is in does not allow that move."""

    code = "illegal_move"
    status = 409


class StaleVersion(Refusal):
    """This was changed meanwhile; look again and decide again."""

    code = "stale_version"
    status = 409


class PeriodLocked(Refusal):
    """The business date is locked."""

    code = "period_locked"
    status = 409


class OutsideTransaction(RuntimeError):
    """A move was attempted outside a database transaction."""


class Subject(Protocol):
    """What a row needs in order to move. Models of machines have these fields."""

    MACHINE: str
    pk: Any
    reference: str
    environment: str
    operator_id: int | None
    state: str
    version: int
    updated_at: datetime

    def announcement(self) -> Announcement | None:
        """Return what the present state says to the outside, or None where moves cause no event."""
        ...


@dataclass(frozen=True, slots=True)
class Why:
    """Who moved it and because of what. `evidence` is the fact that justifies it; `event` an inbound event's id."""

    actor: str
    cause: str
    evidence: Mapping[str, Any] | None = None
    event: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One subject, the name of its FSM transition, and other columns that change with it."""

    subject: Any
    transition: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Birth:
    """A new row, in its machine's first state."""

    subject: Any


def move(*changes: Change | Birth, why: Why, now: datetime, drafts: Sequence[Draft] = ()) -> list[journal.Result]:
    """Make the changes of one step and all that belongs to them. Returns the ledger's results for `drafts`.

    Raises IllegalMove, StaleVersion, PeriodLocked or journal.PostingRefused; the caller's transaction rolls back.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction
    environment = changes[0].subject.environment
    assert all(change.subject.environment == environment for change in changes), "one step, one book"
    records = [_apply(change, why=why, now=now) for change in changes]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT record_moves(%s, %s::jsonb, %s)",
            [environment, json.dumps(records, cls=DjangoJSONEncoder), now],
        )
        row = cursor.fetchone()
    if row is None or row[0] is not True:
        raise PeriodLocked
    results = journal.post_all(environment=environment, drafts=drafts, now=now)
    if any(record["event"] for record in records):
        bell.ring_after_commit("relay")
    return results


def _apply(change: Change | Birth, *, why: Why, now: datetime) -> dict[str, Any]:
    subject = change.subject
    if isinstance(change, Birth):
        before = ""
        subject.version = 1
        subject.created_at = now
        subject.updated_at = now
        planned_rows.insert(subject)
    else:
        before = subject.state
        _write(change, now=now)
    return recorded(subject, before=before, why=why, request_id=request_context.request_id())


def recorded(subject: Any, *, before: str, why: Why, request_id: str) -> dict[str, Any]:
    """Return the audit row and the event of a move that was just made, as `record_moves` takes them."""
    announcement: Announcement | None = subject.announcement()
    return {
        "operator_id": subject.operator_id,
        "machine": subject.MACHINE,
        "subject": subject.reference,
        "sequence": subject.version,
        "from_state": before,
        "to_state": subject.state,
        "actor": why.actor,
        "cause": why.cause,
        "evidence": why.evidence,
        "request_id": request_id,
        "event_reference": why.event,
        "event": announcement
        and {
            "reference": references.new(references.Prefix.EVENT),
            "topic": announcement.topic,
            "payload": announcement.payload,
            "public": announcement.public,
        },
    }


def guarded(change: Change) -> None:
    """Have the FSM take the subject to its new state, in memory. Raises IllegalMove."""
    subject = change.subject
    try:
        getattr(subject, change.transition)()
    except TransitionNotAllowed as error:
        raise IllegalMove(
            f"{subject.reference} is {subject.state}: {change.transition} is not possible.",
            reference=subject.reference,
            state=subject.state,
        ) from error


def _write(change: Change, *, now: datetime) -> None:
    subject = change.subject
    expected = subject.version
    guarded(change)
    values = {**change.values, "updated_at": now, "version": expected + 1}
    written = {"state": subject.state, **values}
    if not planned_rows.update(type(subject), pk=subject.pk, version=expected, values=written):
        raise StaleVersion(f"{subject.reference} was changed meanwhile.", reference=subject.reference)
    for name, value in values.items():
        setattr(subject, name, value)
