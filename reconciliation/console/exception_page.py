"""The page of an exception case: what broke, what to do first, every record to look at, notes, and its approval by two."""

from collections.abc import Callable
from datetime import date
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from ledger.controls import clock
from ledger.controls.console import actor_of, amount, lamp, trail
from ledger.controls.refusals import Malformed
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.models import Approval, Move
from orders.models import Order
from reconciliation import aging, exception_approvals, exception_cases
from reconciliation.check_registry import check_named, is_approvable
from reconciliation.console import dialogs
from reconciliation.console.people import exception_workers
from reconciliation.models import CloseFinding, CloseRun, ExceptionCase, ExceptionNote

_LIVE = (ExceptionCase.State.OPEN, ExceptionCase.State.ASSIGNED)


@require_GET
def page(request: HttpRequest, reference: str) -> HttpResponse:
    """Show a case. Everything that changes something is a POST to `act`."""
    case = _case(request, reference)
    now = clock.now()
    proposal = exception_approvals.open_proposal(case)
    found_by = CloseFinding.objects.filter(case_reference=case.reference).values("close_reference")
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        **trail(case),
        "title": f"Exception {case.reference}",
        "case": case,
        "check": check_named(case.type),
        "state": lamp(case.state),
        "amount": amount(case.amount_minor, case.asset),
        "days": aging.days(opened_at=case.created_at, now=now),
        "bucket": aging.bucket(opened_at=case.created_at, now=now),
        "records": _records(case),
        "order": Order.objects.filter(reference=case.order_reference).first(),
        "closes": CloseRun.objects.filter(reference__in=found_by).order_by("business_date"),
        "moves": Move.objects.filter(subject=case.reference).order_by("id"),
        "notes": ExceptionNote.objects.filter(case_reference=case.reference).order_by("id"),
        "decisions": Approval.objects.filter(subject=case.reference).exclude(decision="proposed").order_by("id"),
        "proposal": proposal,
        "is_maker": proposal is not None and proposal.maker == actor_of(request),
        "is_live": case.state in _LIVE,
        "approvable": is_approvable(case.type),
        "may_work": may(request.user, Ability.WORK_EXCEPTIONS),
        "workers": exception_workers() if case.state in _LIVE else [],
        "me": request.user.get_username(),
        "may_approve": may(request.user, Ability.SIGN_CLOSES),
    }
    return render(request, "console/exception_page.html", context)


@require_POST
def act(request: HttpRequest, reference: str, action: str) -> HttpResponse:
    """Carry out one of the page's dialogs and go back to the page; a refusal is a message there."""
    return dialogs.carry_out(
        request,
        reference=reference,
        action=action,
        actions=_ACTIONS,
        find=_case,
        kind="exception",
        page="admin:exception-page",
    )


def _assign(request: HttpRequest, case: ExceptionCase) -> str:
    need(request.user, Ability.WORK_EXCEPTIONS)
    try:
        review_on = date.fromisoformat(request.POST.get("next_review_on", ""))
    except ValueError as error:
        raise Malformed("The next review date is YYYY-MM-DD.") from error
    owner = request.POST.get("owner", "").strip() or request.user.get_username()
    exception_cases.assign_case(
        case_reference=case.reference, owner=owner, next_review_on=review_on, actor=actor_of(request), now=clock.now()
    )
    return f"{owner} owns it; it is looked at again on {review_on.isoformat()}."


def _note(request: HttpRequest, case: ExceptionCase) -> str:
    need(request.user, Ability.WORK_EXCEPTIONS)
    exception_cases.add_note(
        case_reference=case.reference, text=request.POST.get("text", ""), author=actor_of(request), now=clock.now()
    )
    return "Noted."


def _propose(request: HttpRequest, case: ExceptionCase) -> str:
    need(request.user, Ability.WORK_EXCEPTIONS)
    exception_approvals.propose_approval(
        case_reference=case.reference,
        case_version=dialogs.version(request),
        reason=request.POST.get("reason", "")[:1000],
        maker=actor_of(request),
        now=clock.now(),
    )
    return "Proposed: a second person has to approve it."


def _approve(request: HttpRequest, case: ExceptionCase) -> str:
    need(request.user, Ability.SIGN_CLOSES)
    exception_approvals.approve_exception(
        case_reference=case.reference,
        reason=request.POST.get("reason", "")[:1000],
        checker=actor_of(request),
        now=clock.now(),
    )
    return "Approved. Run the close again, so that its files say so."


def _refuse(request: HttpRequest, case: ExceptionCase) -> str:
    need(request.user, Ability.WORK_EXCEPTIONS)
    exception_approvals.refuse_approval(
        case_reference=case.reference,
        reason=request.POST.get("reason", "")[:1000],
        checker=actor_of(request),
        now=clock.now(),
    )
    return "The proposal is off; the case is with its owner."


_ACTIONS: dict[str, Callable[[HttpRequest, ExceptionCase], str]] = {
    "assign": _assign,
    "note": _note,
    "propose": _propose,
    "approve": _approve,
    "refuse": _refuse,
}


def _case(request: HttpRequest, reference: str) -> ExceptionCase:
    if not sees(request.user, Section.CLOSE):
        raise PermissionDenied
    case = ExceptionCase.objects.filter(reference=reference).first()
    if case is None:
        raise Http404
    return case


def _records(case: ExceptionCase) -> list[dict[str, Any]]:
    """Return what the check told, each id of ours to be looked up in the trace."""
    told = {name: value for name, value in case.detail.items() if name != "reason" and value not in (None, "")}
    return [
        {
            "name": name.replace("_", " "),
            "values": value if isinstance(value, list) else [value],
            "traced": name.endswith("_id") or name in ("subject", "key", "record", "deliveries", "idempotency_key"),
        }
        for name, value in sorted(told.items())
    ]
