"""What people do with a review case. Each function opens its own transaction; `actor` is "user:<name>".

A proposal is bound to the version of the case and of its order; below the threshold, where one person is enough, it
resolves at once. Self-approval is impossible for anyone (rule H1).
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import transaction as db_transaction

from ledger.controls import approvals, roles
from ledger.controls.moves import StaleVersion, Why
from ledger.controls.refusals import NotFound, Refusal
from ledger.controls.roles import Ability
from orders import transitions
from orders.locks import lock_case
from orders.models import ReviewCase, ReviewNote
from orders.reviews import deadlines
from orders.reviews.carrying_out import CaseResolved, carry_out, locked, open_case
from orders.reviews.matter import Choice, Matter
from orders.reviews.matters import matter_of
from orders.reviews.offers import takes_two
from orders.reviews.resolutions import Resolution
from orders.sagas import news
from wallets import remote_operations
from wallets.outcomes import Cause, Outcome, Rejected, Unknown

_LONGEST_OWNER: Final = 150
_LONGEST_AGREEMENT: Final = 500


class NotAllowed(Refusal):
    """The evidence does not allow this resolution."""

    code = "resolution_not_allowed"
    status = 409


class UnknownResolution(Refusal):
    """There is no such resolution."""

    code = "unknown_resolution"


class ReasonMissing(Refusal):
    """A decision needs a reason."""

    code = "reason_missing"


class AgreementMissing(Refusal):
    """Say what was agreed with the operator, when and by whom, in at most 500 characters: it is the evidence."""

    code = "agreement_missing"


class OwnerMissing(Refusal):
    """A case is given to a person by name."""

    code = "owner_missing"


class OwnerUnknown(Refusal):
    """A case is given to somebody who is active here and may work review cases."""

    code = "owner_unknown"


class NothingProposed(Refusal):
    """No proposal of this case waits for a decision."""

    code = "nothing_proposed"
    status = 409


@dataclass(frozen=True, slots=True)
class Decided:
    """`resolved` is False while a second person has to approve."""

    case: ReviewCase
    resolved: bool


def assign_case(
    *, case_reference: str, owner: str, actor: str, now: datetime, next_review_on: date | None = None
) -> ReviewCase:
    """Give the case to a person, who looks at it on a date (none: when it is due, or tomorrow).

    Raises NotFound, OwnerMissing, OwnerUnknown, BadReviewDate or CaseResolved.
    """
    owner = owner.strip()
    if not owner:
        raise OwnerMissing
    if not roles.works(owner, Ability.WORK_REVIEWS):
        raise OwnerUnknown(f"There is no active person {owner[:_LONGEST_OWNER]!r} who may work review cases.")
    with db_transaction.atomic():
        case = open_case(case_reference)
        day = deadlines.next_review(case, wanted=next_review_on, now=now)
        values = {"owner": owner, "next_review_on": day}
        told = f"assigned to {owner}, next review {day}"
        if case.state == ReviewCase.State.OPEN:
            transitions.assign(case, values=values, why=Why(actor, told), now=now)
        else:
            ReviewCase.objects.filter(pk=case.pk).update(**values)
            case.owner, case.next_review_on = owner, day
            _note(case, actor, f"{told[0].upper()}{told[1:]}.", now)
    return case


def add_note(*, case_reference: str, text: str, actor: str, now: datetime) -> None:
    """Write a note. Raises NotFound, or ReasonMissing when it is blank."""
    if not text.strip():
        raise ReasonMissing("A note needs a text.")
    with db_transaction.atomic():
        _note(lock_case(case_reference), actor, text.strip(), now)


def look_up_now(*, case_reference: str, actor: str, now: datetime) -> Outcome:
    """Ask the operator what became of the leg that the case's reason names. Adds evidence, moves no money.

    Outside any transaction.
    """
    standing = _matter(case_reference).look_up
    outcome: Outcome = Unknown(Cause.NOT_ASKED)
    if standing is not None:
        outcome = remote_operations.look_up(standing.key, by_hand=True)
    with db_transaction.atomic():
        key = standing.key if standing is not None else "nothing"
        _note(lock_case(case_reference), actor, f"Looked up {key}: {_told(outcome)}.", now)
    return outcome


def told(outcome: Outcome) -> str:
    """Say to a person what a lookup came to; of an absence, whether it is proven."""
    match outcome:
        case Unknown(Cause.ABSENT):
            said = "absent, nothing is there past the not-found horizon"
        case Unknown(Cause.NOT_FOUND):
            said = "unknown, nothing is there, which proves nothing before the not-found horizon"
        case Unknown(cause):
            said = f"unknown, {cause.replace('_', ' ')}"
        case Rejected(reason):
            said = f"rejected, {reason.replace('_', ' ')}"
        case _:
            said = "confirmed"
    return f"The lookup says: {said}."


def look_up_later(*, case_reference: str, actor: str, now: datetime) -> None:
    """Have the workers look the case up next, as they do ever more slowly by themselves. Raises NotFound or CaseResolved."""
    matter = _matter(case_reference)
    with db_transaction.atomic():
        case = lock_case(case_reference)
        news.tell(matter.subject, environment=case.environment, now=now)
        _note(case, actor, "Asked the workers to look it up.", now)


def propose_resolution(
    *,
    case_reference: str,
    case_version: int,
    resolution: str,
    reason: str,
    actor: str,
    now: datetime,
    agreement: str = "",
) -> Decided:
    """Propose a resolution, or carry it out at once where one person is enough.

    `agreement` is what was agreed with the operator, where that is the evidence; nothing else keeps it.

    Raises NotAllowed, StaleVersion, ReasonMissing, AgreementMissing, UnknownResolution, CaseResolved or what the books
    refuse.
    """
    chosen = _resolution(resolution)
    _need_reason(reason)
    with db_transaction.atomic():
        matter, case = locked(case_reference)
        _need_version(case, case_version)
        if refusal := matter.why_not(chosen):
            raise NotAllowed(refusal)
        if case.state == ReviewCase.State.PROPOSED:
            raise NotAllowed("A proposal waits for a decision already.")
        agreed = _agreement(matter.choices[chosen], agreement)
        if case.state == ReviewCase.State.OPEN:
            taken = {
                "owner": actor.removeprefix("user:"),
                "next_review_on": deadlines.next_review(case, wanted=None, now=now),
            }
            transitions.assign(case, values=taken, why=Why(actor, "taken to propose"), now=now)
        if not takes_two(choice=matter.choices[chosen], case=case):
            carry_out(chosen, matter, case, reason=reason, agreement=agreed, actor=actor, second="", now=now)
            return Decided(case, resolved=True)
        transitions.propose(case, why=Why(actor, f"proposed {chosen}", evidence={"reason": reason}), now=now)
        approvals.propose(
            environment=case.environment,
            kind="review_resolution",
            subject=case.reference,
            subject_version=case.version,
            content={
                "resolution": chosen.value,
                "subject_version": matter.version,
                **({"agreement": agreed} if agreed else {}),
            },
            reason=reason,
            maker=actor,
            now=now,
        )
    return Decided(case, resolved=False)


def approve_resolution(*, case_reference: str, case_version: int, reason: str, actor: str, now: datetime) -> Decided:
    """Approve another person's proposal and carry it out. Raises SelfApproval, OutdatedProposal, NotAllowed, …"""
    _need_reason(reason)
    with db_transaction.atomic():
        matter, case = locked(case_reference)
        _need_version(case, case_version)
        approval = approvals.lock_open(subject=case.reference)
        if approval is None or case.state != ReviewCase.State.PROPOSED:
            raise NothingProposed
        chosen = _resolution(approval.content["resolution"])
        if matter.version != approval.content["subject_version"]:
            raise approvals.OutdatedProposal
        approvals.approve(approval, checker=actor, reason=reason, subject_version=case.version, now=now)
        if refusal := matter.why_not(chosen):
            raise NotAllowed(refusal)
        carry_out(
            chosen,
            matter,
            case,
            reason=approval.reason,
            agreement=approval.content.get("agreement", ""),
            actor=approval.maker,
            second=actor,
            now=now,
        )
    return Decided(case, resolved=True)


def refuse_resolution(*, case_reference: str, case_version: int, reason: str, actor: str, now: datetime) -> Decided:
    """Decide against a proposal (its maker thereby withdraws it): the case goes back to its owner."""
    _need_reason(reason)
    with db_transaction.atomic():
        _, case = locked(case_reference)
        _need_version(case, case_version)
        approval = approvals.lock_open(subject=case.reference)
        if approval is None or case.state != ReviewCase.State.PROPOSED:
            raise NothingProposed
        approvals.refuse(approval, checker=actor, reason=reason, now=now)
        transitions.assign(case, values={}, why=Why(actor, "proposal refused", evidence={"reason": reason}), now=now)
    return Decided(case, resolved=False)


def _matter(case_reference: str) -> Matter:
    """Return what an open case is about, without a lock. Raises NotFound or CaseResolved."""
    case = ReviewCase.objects.filter(reference=case_reference).first()
    if case is None:
        raise NotFound(f"There is no review case {case_reference}.")
    if case.state == ReviewCase.State.RESOLVED:
        raise CaseResolved
    return matter_of(case.subject)


def _resolution(text: str) -> Resolution:
    try:
        return Resolution(text)
    except ValueError as error:
        raise UnknownResolution(f"There is no resolution {text!r}.") from error


def _agreement(choice: Choice, text: str) -> str:
    """Return the agreement that is a choice's evidence, or "" where none is needed. Raises AgreementMissing."""
    if not choice.by_agreement:
        return ""
    if not text.strip() or len(text) > _LONGEST_AGREEMENT:
        raise AgreementMissing
    return text.strip()


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise ReasonMissing


def _need_version(case: ReviewCase, version: int) -> None:
    if case.version != version:
        raise StaleVersion("This case was changed meanwhile; look again and decide again.")


def _note(case: ReviewCase, author: str, text: str, now: datetime) -> None:
    ReviewNote.objects.create(case_reference=case.reference, author=author, text=text, written_at=now)


def _told(outcome: Outcome) -> str:
    return " ".join(str(part) for part in (type(outcome).__name__.lower(), *_parts(outcome)) if part)


def _parts(outcome: Outcome) -> tuple[str, ...]:
    return tuple(str(value) for name in outcome.__slots__ if (value := getattr(outcome, name)) is not None)
