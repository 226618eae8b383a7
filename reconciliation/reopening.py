"""Opening a signed and locked close again: one person proposes with a reason, another approves; both leave a trace.

1 the proposal is one to unlock the date's period, bound to this very lock
2 approved by another person, in one transaction: the period is unlocked, the close is open, its signatures stay as they were
3 the orders of the date are open again until the next run says what they are; that run opens those to which nobody came
"""

from datetime import datetime

from django.db import IntegrityError
from django.db import transaction as db_transaction

from ledger import periods
from ledger.controls.moves import Why
from ledger.controls.refusals import NotFound, Refusal
from ledger.models import Approval
from reconciliation import day_movements, marks, transitions
from reconciliation.close_runs import window_of_close
from reconciliation.models import CloseRun


class NotLocked(Refusal):
    """Only a signed or locked close is opened again by two people."""

    code = "close_not_locked"
    status = 409


class ReopeningReasonMissing(Refusal):
    """Opening a close again needs a reason."""

    code = "reopening_reason_missing"


class ReopeningProposed(Refusal):
    """Opening this close again waits for a second person already."""

    code = "reopening_proposed"
    status = 409


def propose_reopening(*, close_reference: str, reason: str, maker: str, now: datetime) -> Approval:
    """Propose to open a locked date again. Raises NotLocked, ReopeningProposed or ReopeningReasonMissing."""
    _need_reason(reason)
    with db_transaction.atomic():
        close = _locked(close_reference)
        try:
            with db_transaction.atomic():
                return periods.propose_unlock(close.environment, close.business_date, reason.strip(), maker, now)
        except IntegrityError as error:
            raise ReopeningProposed from error


def approve_reopening(*, close_reference: str, reason: str, checker: str, now: datetime) -> CloseRun:
    """Open it again as a second person. Raises NotLocked, periods.NoProposal, or what `approvals.approve` raises."""
    _need_reason(reason)
    with db_transaction.atomic():
        close = _locked(close_reference)
        proposal = periods.unlock(close.environment, close.business_date, reason.strip(), checker, now)
        transitions.reopen(
            close,
            values={"preparer": "", "reviewer": None, "available_at": now, "proof": {}, "movements_kept_at": None},
            why=Why(
                checker,
                "opened again",
                evidence={
                    "approval": proposal.reference,
                    "proposed_by": proposal.maker,
                    "proposed": proposal.reason,
                    "reason": reason.strip(),
                },
            ),
            now=now,
        )
        day_movements.forget(close)
    marks.open_orders(close=close, window=window_of_close(close))
    return close


def refuse_reopening(*, close_reference: str, reason: str, checker: str, now: datetime) -> Approval:
    """Decide against it; its maker thereby withdraws it. The date stays locked."""
    _need_reason(reason)
    with db_transaction.atomic():
        close = _locked(close_reference)
        return periods.refuse_unlock(close.environment, close.business_date, reason.strip(), checker, now)


def open_proposal(close: CloseRun) -> Approval | None:
    subject = periods.subject(close.environment, close.business_date)
    return Approval.objects.filter(subject=subject, decision=Approval.Decision.PROPOSED).first()


def _locked(close_reference: str) -> CloseRun:
    close = CloseRun.objects.select_for_update().filter(reference=close_reference).first()
    if close is None:
        raise NotFound(f"There is no close {close_reference}.")
    if close.state not in (CloseRun.State.SIGNED, CloseRun.State.LOCKED):
        raise NotLocked
    return close


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise ReopeningReasonMissing
