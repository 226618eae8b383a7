"""Review cases as REST shows them to the house."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from ledger import assets, books
from ledger.controls.rest.answers import instant, instant_or_none
from orders.models import Intent, Return, ReviewCase
from orders.reviews import deadlines
from orders.reviews.offers import offers
from orders.reviews.records import records_of
from reconciliation.review_history import history_of
from wallets.models import RemoteAttempt, RemoteOperation

Record = dict[str, Any]
Owner = tuple[str | None, str | None]


def listed(cases: Sequence[ReviewCase], *, environment: str, now: datetime) -> list[Record]:
    """Return the cases of one environment as rows of a list."""
    today = books.business_date(environment=environment, instant=now)
    owners = _owners(cases)
    return [_case(case, owner=owners[case.subject], now=now, today=today) for case in cases]


def detailed(case: ReviewCase, *, now: datetime) -> Record:
    """Return one case with its evidence, what may be done about it, and its history."""
    (shown,) = listed([case], environment=case.environment, now=now)
    open_one = case.state != ReviewCase.State.RESOLVED
    return {
        **shown,
        "evidence": _evidence(records_of(case).owners),
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


def _owners(cases: Sequence[ReviewCase]) -> Mapping[str, Owner]:
    """Return by subject the order or intent that it is, or that its return came after: order id and intent id, one None."""
    subjects = [case.subject for case in cases]
    intents = set(Intent.objects.filter(reference__in=subjects).values_list("reference", flat=True))
    found: dict[str, Owner] = {one: (None, one) if one in intents else (one, None) for one in subjects}
    returns = Return.objects.filter(reference__in=subjects)
    for reference, order, intent in returns.values_list("reference", "order_reference", "intent_reference"):
        found[reference] = (order or None, intent or None)
    return found


def _case(case: ReviewCase, *, owner: Owner, now: datetime, today: date) -> Record:
    order_id, intent_id = owner
    return {
        "review_case_id": case.reference,
        "subject": case.subject,
        "order_id": order_id,
        "intent_id": intent_id,
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


def _evidence(owners: Sequence[str]) -> list[Record]:
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
