"""The page of a review case: our book beside theirs, the timeline, and what may be done about it."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from ledger import books
from ledger.controls import clock
from ledger.controls.console import actor_of, age, amount, attempt, chosen_date, trail
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.models import Approval, Move, Posting
from orders.freeze_card import freeze_card
from orders.models import ReviewCase
from orders.operations import review_case
from orders.reviews import deadlines
from orders.reviews.offers import offers
from orders.reviews.records import records_of
from reconciliation.console.people import reviewers
from reconciliation.console.review_queue import shown_due
from reconciliation.models import StatementLine
from reconciliation.previews import Foreseen, foreseen
from reconciliation.review_history import history_of
from wallets.models import RemoteAttempt, RemoteOperation

_LINES_SHOWN: Final = 5


@require_GET
def page(request: HttpRequest, reference: str) -> HttpResponse:
    """Show a case. Everything that changes something is a POST to `act`."""
    if not sees(request.user, Section.QUEUES):
        raise PermissionDenied
    case = ReviewCase.objects.filter(reference=reference).first()
    if case is None:
        raise Http404
    records = records_of(case)
    is_open = case.state != ReviewCase.State.RESOLVED
    proposal = Approval.objects.filter(subject=case.reference, decision=Approval.Decision.PROPOSED).first()
    may_work = may(request.user, Ability.WORK_REVIEWS)
    offered = offers(case=case) if is_open else []
    proposed = next(
        (foreseen(one, case) for one in offered if proposal and one.resolution == _resolution(proposal)), None
    )
    chosen_from = [
        foreseen(one, case) if may_work and proposal is None else Foreseen(one, one.why_not, None) for one in offered
    ]
    operations = list(RemoteOperation.objects.filter(owner__in=records.owners).order_by("id"))
    now = clock.now()
    today = books.business_date(environment=case.environment, instant=now)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        **trail(case),
        "title": f"Review {case.reference}",
        "case": case,
        "order": records.order,
        "intent": records.intent,
        "payout": records.payout,
        "return": records.found,
        "amount": amount(case.amount_minor, case.asset),
        "age": age(case.created_at, now),
        "due": shown_due(case, now=now),
        "overdue": deadlines.is_overdue(case, now=now, today=today),
        "today": today,
        "reviewers": reviewers() if is_open else [],
        "me": request.user.get_username(),
        "trades": records.trades,
        "postings": _postings(records.subjects),
        "operations": _operations(operations),
        "moves": list(
            Move.objects.filter(
                subject__in=[*records.owners, case.reference, *(one.reference for one in operations)]
            ).order_by("moved_at", "id")
        ),
        "history": history_of(case),
        "offers": [_shown(one) for one in chosen_from],
        "proposal": proposal,
        "proposed": _shown(proposed) if proposed else None,
        "is_open": is_open,
        "may_work": may_work,
        "may_approve": may(request.user, Ability.APPROVE_REVIEWS),
        "may_note": may(request.user, Ability.NOTE),
        "is_maker": proposal is not None and proposal.maker == actor_of(request),
        **freeze_card(request, records.order or records.intent),
    }
    return render(request, "console/review_case.html", context)


@require_POST
def act(request: HttpRequest, reference: str, action: str) -> HttpResponse:
    """Carry out one of the page's dialogs and go back to the page; a refusal is a message there."""
    handler = _ACTIONS.get(action)
    if handler is None:
        raise Http404
    attempt(request, lambda: handler(request, reference))
    return redirect("admin:review-case", reference)


def _take(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.WORK_REVIEWS)
    case = review_case.assign_case(
        case_reference=reference,
        owner=request.POST.get("owner", "").strip() or request.user.get_username(),
        next_review_on=chosen_date(request.POST.get("next_review_on", "")),
        actor=actor_of(request),
        now=clock.now(),
    )
    return f"Assigned to {case.owner}, next review {case.next_review_on}."


def _look_up(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.WORK_REVIEWS)
    outcome = review_case.look_up_now(case_reference=reference, actor=actor_of(request), now=clock.now())
    return review_case.told(outcome)


def _propose(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.WORK_REVIEWS)
    decided = review_case.propose_resolution(
        case_reference=reference,
        case_version=_version(request),
        resolution=request.POST.get("resolution", ""),
        reason=request.POST.get("reason", ""),
        agreement=request.POST.get("agreement", ""),
        actor=actor_of(request),
        now=clock.now(),
    )
    return "Resolved." if decided.resolved else "Proposed: a second person has to approve it."


def _approve(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.APPROVE_REVIEWS)
    review_case.approve_resolution(
        case_reference=reference,
        case_version=_version(request),
        reason=request.POST.get("reason", ""),
        actor=actor_of(request),
        now=clock.now(),
    )
    return "Approved and carried out."


def _refuse(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.WORK_REVIEWS)
    review_case.refuse_resolution(
        case_reference=reference,
        case_version=_version(request),
        reason=request.POST.get("reason", ""),
        actor=actor_of(request),
        now=clock.now(),
    )
    return "The proposal is off; the case is back with its owner."


def _note(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.NOTE)
    text = request.POST.get("text", "")[:4000]
    review_case.add_note(case_reference=reference, text=text, actor=actor_of(request), now=clock.now())
    return "Noted."


_ACTIONS: dict[str, Callable[[HttpRequest, str], str]] = {
    "assign": _take,
    "look-up": _look_up,
    "propose": _propose,
    "approve": _approve,
    "refuse": _refuse,
    "note": _note,
}


def _version(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _postings(subjects: list[str]) -> list[dict[str, Any]]:
    rows = (
        Posting.objects.filter(transaction__subject__in=subjects)
        .select_related("transaction", "debit_account", "credit_account")
        .order_by("transaction__recorded_at", "position")
    )
    return [
        {
            "event_type": row.transaction.event_type,
            "kind": row.kind,
            "debit": row.debit_account.address,
            "credit": row.credit_account.address,
            "amount": amount(row.amount_minor, row.asset),
        }
        for row in rows
    ]


def _operations(found: list[RemoteOperation]) -> list[dict[str, Any]]:
    attempts = list(RemoteAttempt.objects.filter(operation_id__in=[row.pk for row in found]).order_by("number"))
    keys = [row.key for row in found]
    lines = list(StatementLine.objects.filter(our_key__in=keys).order_by("pk")[: _LINES_SHOWN * len(keys)])
    return [
        {
            "row": row,
            "amount": amount(row.amount_minor, row.asset),
            "attempts": [one for one in attempts if one.operation_id == row.pk],
            "open": row.state in ("asked", "unknown", "absent"),
            "lines": [line for line in lines if (line.environment, line.our_key) == (row.environment, row.key)][
                :_LINES_SHOWN
            ],
        }
        for row in found
    ]


def _resolution(proposal: Approval) -> str:
    return str(proposal.content["resolution"])


def _shown(one: Foreseen) -> dict[str, Any]:
    lines = one.preview.postings if one.preview else []
    return {
        "offer": one.offer,
        "why_not": one.why_not,
        "preview": one.preview,
        "postings": [
            {
                "kind": line.kind,
                "debit": line.debit,
                "credit": line.credit,
                "amount": amount(line.amount.minor, line.amount.asset),
            }
            for line in lines
        ],
    }
