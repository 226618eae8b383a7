"""Review cases as REST shows them to the house."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from ledger import assets, books
from ledger.controls.rest.answers import instant, instant_or_none
from orders.models import Return, ReviewCase
from orders.reviews import deadlines
from orders.reviews.offers import offers
from reconciliation.review_history import history_of
from wallets.models import RemoteAttempt, RemoteOperation

Record = dict[str, Any]


def listed(cases: Sequence[ReviewCase], *, environment: str, now: datetime) -> list[Record]:
    """Return the cases of one environment as rows of a list."""
    today = books.business_date(environment=environment, instant=now)
    orders = _orders(cases)
    return [_case(case, order_id=orders[case.subject], now=now, today=today) for case in cases]


def detailed(case: ReviewCase, *, now: datetime) -> Record:
    """Return one case with its evidence, what may be done about it, and its history."""
    (shown,) = listed([case], environment=case.environment, now=now)
    open_one = case.state != ReviewCase.State.RESOLVED
    return {
        **shown,
        "evidence": _evidence({case.subject, shown["order_id"]}),
        "resolutions": [
            {
                "resolution": offer.resolution.value,
                "allowed": offer.allowed,
                "why_not": offer.why_not or None,
                "ends_in": offer.ends_in,
                "two_people": offer.two_people,
            }
            for offer in (offers(case=case) if open_one else [])
        ],
        "history": [
            {"at": instant(one.at), "who": one.who, "kind": one.kind, "what": one.what, "why": one.why or None}
            for one in history_of(case)
        ],
    }


def _orders(cases: Sequence[ReviewCase]) -> Mapping[str, str]:
    """Return by subject the order that it is, or that its return came after."""
    subjects = [case.subject for case in cases]
    returns = dict(Return.objects.filter(reference__in=subjects).values_list("reference", "order_reference"))
    return {subject: returns.get(subject, subject) for subject in subjects}


def _case(case: ReviewCase, *, order_id: str, now: datetime, today: date) -> Record:
    return {
        "review_case_id": case.reference,
        "subject": case.subject,
        "order_id": order_id,
        "status": case.state,
        "reason": case.reason,
        "owner": case.owner or None,
        "next_action": case.next_action,
        "asset": case.asset,
        "amount": assets.text(int(case.amount_minor), case.asset),
        "due_at": instant_or_none(case.due_at),
        "next_review_on": case.next_review_on.isoformat() if case.next_review_on else None,
        "overdue": deadlines.is_overdue(case, now=now, today=today),
        "resolution": case.resolution or None,
        "resolved_by": case.resolved_by or None,
        "resolved_at": instant_or_none(case.resolved_at),
        "created_at": instant(case.created_at),
        "updated_at": instant(case.updated_at),
        "version": case.version,
    }


def _evidence(owners: set[str]) -> list[Record]:
    operations = list(RemoteOperation.objects.filter(owner__in=owners).order_by("pk"))
    asked: dict[int, list[datetime]] = {}
    rows = RemoteAttempt.objects.filter(operation_id__in=[one.pk for one in operations])
    for operation_id, started_at in rows.values_list("operation_id", "started_at"):
        asked.setdefault(operation_id, []).append(started_at)
    return [
        {
            "idempotency_key": one.key,
            "leg": one.leg,
            "status": one.state,
            "attempts": len(asked.get(one.pk, [])),
            "last_asked_at": instant_or_none(max(asked.get(one.pk, []), default=None)),
        }
        for one in operations
    ]
