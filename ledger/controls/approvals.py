"""Approvals: what one person proposes, another decides (rule H1), superusers included."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ledger.controls import references
from ledger.controls.refusals import Refusal
from ledger.models import Approval as Approval


class SelfApproval(Refusal):
    """Maker and checker must be different people."""

    code = "self_approval"
    status = 403


class AlreadyDecided(Refusal):
    """This proposal was decided meanwhile."""

    code = "already_decided"
    status = 409


class OutdatedProposal(Refusal):
    """What this proposal decides has changed since it was made; propose again."""

    code = "outdated_proposal"
    status = 409


def propose(
    *,
    environment: str,
    kind: str,
    subject: str,
    subject_version: int,
    content: Mapping[str, Any],
    reason: str,
    maker: str,
    now: datetime,
) -> Approval:
    """Record a proposal, bound to the version of what it decides. One open proposal per subject."""
    return Approval.objects.create(
        reference=references.new(references.Prefix.APPROVAL),
        environment=environment,
        kind=kind,
        subject=subject,
        subject_version=subject_version,
        content=dict(content),
        reason=reason,
        maker=maker,
        proposed_at=now,
    )


def open_of(*, subject: str) -> Approval | None:
    """Return the subject's open proposal, without a lock."""
    return Approval.objects.filter(subject=subject, decision=Approval.Decision.PROPOSED).first()


def lock_open(*, subject: str) -> Approval | None:
    """Lock and return the subject's open proposal."""
    return Approval.objects.select_for_update().filter(subject=subject, decision=Approval.Decision.PROPOSED).first()


def approve(approval: Approval, *, checker: str, reason: str, subject_version: int, now: datetime) -> None:
    """Decide for the proposal. Raises SelfApproval, AlreadyDecided or OutdatedProposal."""
    if approval.decision != Approval.Decision.PROPOSED:
        raise AlreadyDecided
    if checker == approval.maker:
        raise SelfApproval
    if approval.subject_version != subject_version:
        raise OutdatedProposal
    _decide(approval, Approval.Decision.APPROVED, checker=checker, reason=reason, now=now)


def refuse(approval: Approval, *, checker: str, reason: str, now: datetime) -> None:
    """Decide against the proposal. The maker may not; a maker withdraws."""
    if approval.decision != Approval.Decision.PROPOSED:
        raise AlreadyDecided
    decision = Approval.Decision.WITHDRAWN if checker == approval.maker else Approval.Decision.REFUSED
    _decide(approval, decision, checker=checker, reason=reason, now=now)


def _decide(approval: Approval, decision: str, *, checker: str, reason: str, now: datetime) -> None:
    approval.decision = decision
    approval.checker = checker
    approval.decision_reason = reason
    approval.decided_at = now
    approval.save(update_fields=["decision", "checker", "decision_reason", "decided_at"])
