"""Postings by two people: one person (or a house key) proposes a draft, another approves it and it is posted.

The draft is kept in the proposal as it was shown, with its postings; approving posts exactly that.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError
from django.db import transaction as db_transaction

from ledger import direct_posting, journal, outside_flows
from ledger.books import number_of
from ledger.controls import approvals
from ledger.controls.refusals import NotFound, Refusal
from ledger.direct_posting import TWO_PEOPLE
from ledger.drafts import Draft, Posting
from ledger.models import Approval, LedgerKey
from ledger.money import Money

KIND: Final = "ledger_posting"
PROPOSABLE: Final = TWO_PEOPLE | {"FX_REVALUATION", "OPENING_BALANCE", "POOL_FUNDING"}
"""What a person may propose to another. The last three a house key may also post at once."""

_VERSION: Final = 1  # a proposal's draft never changes; what it decides has one version


class OnePersonIsEnough(Refusal):
    """This event type is posted at once, not proposed."""

    code = "one_person_is_enough"


class AlreadyProposed(Refusal):
    """A proposal under this ledger key waits for a decision already."""

    code = "already_proposed"
    status = 409


class ReasonMissing(Refusal):
    """A proposal, and a decision about it, need a reason."""

    code = "reason_missing"


def propose(
    *, environment: str, draft: Draft, reason: str, maker: str, now: datetime, key_issued_by: str = ""
) -> Approval:
    """Keep a draft for a second person's decision, in the caller's transaction; nothing is posted.

    What the ledger would refuse now is refused now. Raises ReasonMissing, AlreadyProposed, KeyTaken,
    journal.PostingRefused or what `direct_posting.check` raises.
    """
    if draft.event_type not in PROPOSABLE:
        raise OnePersonIsEnough(f"{draft.event_type} is not posted by two people.")
    _need_reason(reason)
    direct_posting.check(environment=environment, drafts=[draft])
    postings = journal.postings_of(draft, environment=environment)
    if _key_is_taken(environment, draft.key):
        raise direct_posting.KeyTaken(f"Something is posted under {draft.key!r} already.")
    _try_out(environment=environment, draft=draft, now=now)
    try:
        with db_transaction.atomic():
            return approvals.propose(
                environment=environment,
                kind=KIND,
                subject=subject_of(environment=environment, key=draft.key),
                subject_version=_VERSION,
                content=_content(draft, postings),
                reason=reason.strip(),
                maker=maker,
                now=now,
                key_issued_by=key_issued_by,
            )
    except IntegrityError as error:
        raise AlreadyProposed(f"A proposal under {draft.key!r} waits for a decision already.") from error


def approve(*, reference: str, reason: str, checker: str, now: datetime) -> journal.Result:
    """Approve another person's proposal and post it, all in one transaction. Raises approvals.SelfApproval, …"""
    _need_reason(reason)
    with db_transaction.atomic():
        proposal = _locked(reference)
        approvals.approve(proposal, checker=checker, reason=reason.strip(), subject_version=_VERSION, now=now)
        draft = draft_of(proposal)
        draft = replace(draft, refs={**draft.refs, "approval": proposal.reference})
        environment = proposal.environment
        outside_flows.prepare(environment=environment, drafts=[draft])
        result = _posted(environment=environment, draft=draft, now=now)
        outside_flows.tell(environment=environment, results=[result], now=now)
        return result


def refuse(*, reference: str, reason: str, checker: str, now: datetime) -> Approval:
    """Decide against a proposal; its maker thereby withdraws it. Nothing is posted."""
    _need_reason(reason)
    with db_transaction.atomic():
        proposal = _locked(reference)
        approvals.refuse(proposal, checker=checker, reason=reason.strip(), now=now)
    return proposal


def draft_of(proposal: Approval) -> Draft:
    """Return the draft that a proposal keeps."""
    kept: Mapping[str, Any] = proposal.content["draft"]
    return Draft(
        event_type=kept["event_type"],
        key=kept["key"],
        subject=kept["subject"],
        amounts={name: Money(int(value["minor"]), value["asset"]) for name, value in kept["amounts"].items()},
        accounts=dict(kept["accounts"]),
        refs=dict(kept["refs"]),
        metadata=dict(kept["metadata"]),
        effective_at=datetime.fromisoformat(kept["effective_at"]) if kept["effective_at"] else None,
    )


def subject_of(*, environment: str, key: str) -> str:
    """Name what a proposal decides: one ledger key of one book."""
    return "adj_" + hashlib.sha256(f"{environment}:{key}".encode()).hexdigest()[:32]


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise ReasonMissing


def _key_is_taken(environment: str, key: str) -> bool:
    return LedgerKey.objects.filter(book_id=number_of(environment), key=key).exists()


def _locked(reference: str) -> Approval:
    proposal = Approval.objects.select_for_update().filter(reference=reference, kind=KIND).first()
    if proposal is None:
        raise NotFound(f"There is no proposal {reference}.")
    return proposal


def _try_out(*, environment: str, draft: Draft, now: datetime) -> None:
    with db_transaction.atomic():
        _posted(environment=environment, draft=draft, now=now)
        db_transaction.set_rollback(True)


def _posted(*, environment: str, draft: Draft, now: datetime) -> journal.Result:
    """Post one draft; into a locked period nothing manual is posted, not even at a later instant."""
    draft = replace(draft, refuse_locked=True)
    (result,) = journal.post_all(environment=environment, drafts=[draft], now=now)
    return result


def _content(draft: Draft, postings: list[Posting]) -> dict[str, Any]:
    return {
        "draft": {
            "event_type": draft.event_type,
            "key": draft.key,
            "subject": draft.subject,
            "amounts": {
                name: {"minor": str(amount.minor), "asset": amount.asset} for name, amount in draft.amounts.items()
            },
            "accounts": dict(draft.accounts),
            "refs": dict(draft.refs),
            "metadata": dict(draft.metadata),
            "effective_at": draft.effective_at.isoformat() if draft.effective_at else None,
        },
        "postings": [
            {"debit": p.debit, "credit": p.credit, "minor": str(p.amount.minor), "asset": p.amount.asset}
            for p in postings
        ],
    }
