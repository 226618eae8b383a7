"""Approvals: what one person proposes, another decides (rule H1), superusers included.

What an API key proposes counts as proposed by whoever issued that key too: they have seen it, and could have used it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ledger.controls import references
from ledger.controls.refusals import Refusal
from ledger.models import Approval as Approval

_ISSUER: Final = "key_issued_by"
_MOST = 200


class SelfApproval(Refusal):
    """Maker and checker must be different people."""

    code = "self_approval"
    status = 403


class OwnKey(SelfApproval):
    """You issued the key that proposed this; another person has to approve it."""


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
    key_issued_by: str = "",
) -> Approval:
    """Record a proposal, bound to the version of what it decides. One open proposal per subject.

    `key_issued_by` is who issued the API key that proposes, when one does.
    """
    return Approval.objects.create(
        reference=references.new(references.Prefix.APPROVAL),
        environment=environment,
        kind=kind,
        subject=subject,
        subject_version=subject_version,
        content={**content, _ISSUER: key_issued_by} if key_issued_by else dict(content),
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


def lock(*, reference: str, kind: str) -> Approval | None:
    """Lock and return a proposal of a kind, decided or not."""
    return Approval.objects.select_for_update().filter(reference=reference, kind=kind).first()


def latest_approved(*, subject: str, but: str = "") -> Approval | None:
    """Return the subject's proposal that was approved last, `but` not counted."""
    approved = Approval.objects.filter(subject=subject, decision=Approval.Decision.APPROVED).exclude(reference=but)
    return approved.order_by("-decided_at", "-id").first()


def of_kind(*, kind: str, environment: str, content: Mapping[str, Any]) -> list[Approval]:
    """Return the proposals of a kind whose content says this, the newest first."""
    found = Approval.objects.filter(kind=kind, environment=environment, content__contains=dict(content))
    return list(found.order_by("-id")[:_MOST])


def approve(approval: Approval, *, checker: str, reason: str, subject_version: int, now: datetime) -> None:
    """Decide for the proposal. Raises SelfApproval, AlreadyDecided or OutdatedProposal."""
    if approval.decision != Approval.Decision.PROPOSED:
        raise AlreadyDecided
    if checker == approval.maker:
        raise SelfApproval
    if checker == approval.content.get(_ISSUER):
        raise OwnKey
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
