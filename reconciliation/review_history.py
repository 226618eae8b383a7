"""What happened to a review case, from its moves, proposals and notes: who did what, when and why, oldest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ledger.models import Approval, Move
from orders.models import ReviewCase, ReviewNote

_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Happened:
    """`kind` is move, proposal or note; `what` is the state, the decision, or the note itself."""

    at: datetime
    who: str
    kind: str
    what: str
    why: str


def history_of(case: ReviewCase) -> list[Happened]:
    """Return at most 500 entries of each kind."""
    return sorted((*_moves(case), *_proposals(case), *_notes(case)), key=lambda one: one.at)


def _moves(case: ReviewCase) -> Iterator[Happened]:
    for move in Move.objects.filter(machine=case.MACHINE, subject=case.reference).order_by("sequence")[:_MOST]:
        yield Happened(move.moved_at, move.actor, "move", move.to_state, move.cause)


def _proposals(case: ReviewCase) -> Iterator[Happened]:
    for one in Approval.objects.filter(subject=case.reference).order_by("id")[:_MOST]:
        resolution = str(one.content.get("resolution", ""))
        yield Happened(one.proposed_at, one.maker, "proposal", f"{resolution} proposed", _why(one))
        if one.decided_at is not None:
            decided = f"{resolution} {one.decision}"
            yield Happened(one.decided_at, one.checker or one.maker, "proposal", decided, one.decision_reason)


def _why(proposal: Approval) -> str:
    agreed = proposal.content.get("agreement")
    return f"{proposal.reason} (agreed with the operator: {agreed})" if agreed else proposal.reason


def _notes(case: ReviewCase) -> Iterator[Happened]:
    for note in ReviewNote.objects.filter(case_reference=case.reference).order_by("id")[:_MOST]:
        yield Happened(note.written_at, note.author, "note", note.text, "")
