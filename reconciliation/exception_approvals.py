"""Approving an exception: one person proposes with a reason, another accepts (rule H1). The break stays; the close may sign.

1 the case is assigned: somebody owns it; its type may be approved (not: ledger row without terminal trade)
2 the proposal is bound to the case's version, its amount and its detail; the same person never decides it
3 approved, the case stays so while a run finds the same break; a changed one opens it again, and it heals when none is found
"""

from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError
from django.db import transaction as db_transaction

from ledger import assets
from ledger.controls import approvals
from ledger.controls.moves import StaleVersion, Why
from ledger.controls.refusals import NotFound, Refusal
from ledger.models import Approval
from reconciliation import transitions
from reconciliation.check_registry import is_approvable, lasting
from reconciliation.exception_cases import CaseEnded
from reconciliation.models import ExceptionCase

KIND: Final = "exception_approval"
_LIVE = (ExceptionCase.State.OPEN, ExceptionCase.State.ASSIGNED)


class NotApprovable(Refusal):
    """A break of this type cannot be approved: it holds the close until its cause is gone."""

    code = "exception_not_approvable"
    status = 409


class NotAssigned(Refusal):
    """An exception is approved once somebody owns it: assign it first."""

    code = "exception_not_assigned"
    status = 409


class ApprovalReasonMissing(Refusal):
    """An approval of an exception needs a reason."""

    code = "approval_reason_missing"


class ApprovalProposed(Refusal):
    """An approval of this exception waits for a second person already."""

    code = "approval_proposed"
    status = 409


class NoApprovalProposed(Refusal):
    """Nobody has proposed to approve this exception, or it was decided meanwhile."""

    code = "no_approval_proposed"
    status = 409


def propose_approval(*, case_reference: str, case_version: int, reason: str, maker: str, now: datetime) -> Approval:
    """Propose to accept a break as it is. Raises the refusals above, CaseEnded or StaleVersion."""
    _need_reason(reason)
    with db_transaction.atomic():
        case = _locked(case_reference)
        if case.state not in _LIVE:
            raise CaseEnded
        if not is_approvable(case.type):
            raise NotApprovable
        if case.state != ExceptionCase.State.ASSIGNED:
            raise NotAssigned
        if case.version != case_version:
            raise StaleVersion(reference=case.reference)
        try:
            with db_transaction.atomic():
                return approvals.propose(
                    environment=case.environment,
                    kind=KIND,
                    subject=case.reference,
                    subject_version=case.version,
                    content=_content(case),
                    reason=reason.strip(),
                    maker=maker,
                    now=now,
                )
        except IntegrityError as error:
            raise ApprovalProposed from error


def approve_exception(*, case_reference: str, reason: str, checker: str, now: datetime) -> ExceptionCase:
    """Accept it as a second person. Raises NoApprovalProposed, NotApprovable, or what `approvals.approve` raises."""
    _need_reason(reason)
    with db_transaction.atomic():
        case = _locked(case_reference)
        proposal = approvals.lock_open(subject=case.reference)
        if proposal is None:
            raise NoApprovalProposed
        if not is_approvable(case.type):
            raise NotApprovable
        if proposal.content != _content(case):
            raise approvals.OutdatedProposal
        approvals.approve(proposal, checker=checker, reason=reason.strip(), subject_version=case.version, now=now)
        transitions.approved(
            case,
            values={"resolution": f"Approved by {_name(checker)}: {reason.strip()}"[:200]},
            why=Why(
                checker,
                "exception approved",
                evidence={
                    "approval": proposal.reference,
                    "proposed_by": proposal.maker,
                    "proposed": proposal.reason,
                    "reason": reason.strip(),
                },
            ),
            now=now,
        )
    return case


def refuse_approval(*, case_reference: str, reason: str, checker: str, now: datetime) -> Approval:
    """Decide against the proposal; its maker thereby withdraws it. The case stays assigned."""
    _need_reason(reason)
    with db_transaction.atomic():
        case = _locked(case_reference)
        proposal = approvals.lock_open(subject=case.reference)
        if proposal is None:
            raise NoApprovalProposed
        approvals.refuse(proposal, checker=checker, reason=reason.strip(), now=now)
    return proposal


def open_proposal(case: ExceptionCase) -> Approval | None:
    return Approval.objects.filter(kind=KIND, subject=case.reference, decision=Approval.Decision.PROPOSED).first()


def _locked(case_reference: str) -> ExceptionCase:
    case = ExceptionCase.objects.select_for_update().filter(reference=case_reference).first()
    if case is None:
        raise NotFound(f"There is no exception case {case_reference}.")
    return case


def _content(case: ExceptionCase) -> dict[str, Any]:
    return {
        "type": case.type,
        "subject": case.subject,
        "asset": case.asset,
        "amount": assets.text(int(case.amount_minor), case.asset) if case.asset else "",
        "owner": case.owner,
        "detail": lasting(case.detail, of=case.type),
    }


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise ApprovalReasonMissing


def _name(actor: str) -> str:
    return actor.removeprefix("user:")
