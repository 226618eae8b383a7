"""Periods: the business dates of a book, and who locked and unlocked them (rule L8).

A locked date takes no postings and no moves. One person locks; to unlock takes two, and leaves a trace.
"""

from datetime import date, datetime
from typing import Final

from django.db import connection
from django.db import transaction as db_transaction

from ledger.books import number_of
from ledger.controls import approvals
from ledger.controls.refusals import Refusal
from ledger.models import Approval, Period

_KIND: Final = "period_unlock"


class PeriodNotLocked(Refusal):
    """This date is not locked."""

    code = "period_not_locked"
    status = 409


class NoProposal(Refusal):
    """Nobody has proposed to unlock this date, or it was decided meanwhile."""

    code = "no_proposal"
    status = 409


def lock(environment: str, business_date: date, actor: str, now: datetime) -> Period:
    """Lock a date, or find it locked. Waits for the postings that are under way in it; later ones see the lock.

    Joins the caller's transaction, at the place of periods in the lock order; the lock stands when that commits.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_lock_period(%s::smallint, %s, %s, %s)", [number_of(environment), business_date, actor, now]
        )
    return Period.objects.get(book_id=number_of(environment), business_date=business_date)


def is_locked(environment: str, business_date: date) -> bool:
    """Say whether a date is locked as of this statement. Who decides by it uses what the write door answers."""
    return _locked(environment, business_date) is not None


def propose_unlock(environment: str, business_date: date, reason: str, maker: str, now: datetime) -> Approval:
    """Propose to unlock a locked date; bound to this very lock. Raises PeriodNotLocked."""
    period = _locked(environment, business_date)
    if period is None:
        raise PeriodNotLocked
    return approvals.propose(
        environment=environment,
        kind=_KIND,
        subject=subject(environment, business_date),
        subject_version=period.version,
        content={"business_date": business_date.isoformat(), "locked_by": period.locked_by},
        reason=reason,
        maker=maker,
        now=now,
    )


def unlock(environment: str, business_date: date, reason: str, checker: str, now: datetime) -> Approval:
    """Approve the open proposal as another person, and unlock the date. Raises NoProposal, PeriodNotLocked, or what
    `ledger.controls.approvals` raises.
    """
    with db_transaction.atomic():
        proposal = approvals.lock_open(subject=subject(environment, business_date))
        if proposal is None:
            raise NoProposal
        period = _locked(environment, business_date)
        if period is None:
            raise PeriodNotLocked
        approvals.approve(proposal, checker=checker, reason=reason, subject_version=period.version, now=now)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT ledger_unlock_period(%s::smallint, %s, %s, %s)",
                [number_of(environment), business_date, proposal.reference, now],
            )
    return proposal


def refuse_unlock(environment: str, business_date: date, reason: str, checker: str, now: datetime) -> Approval:
    """Decide against the open proposal; its maker withdraws it. The date stays locked. Raises NoProposal."""
    with db_transaction.atomic():
        proposal = approvals.lock_open(subject=subject(environment, business_date))
        if proposal is None:
            raise NoProposal
        approvals.refuse(proposal, checker=checker, reason=reason, now=now)
    return proposal


def subject(environment: str, business_date: date) -> str:
    """Return what an approval calls this period."""
    return f"period:{environment}:{business_date.isoformat()}"


def _locked(environment: str, business_date: date) -> Period | None:
    return Period.objects.filter(
        book_id=number_of(environment), business_date=business_date, locked_at__isnull=False
    ).first()
