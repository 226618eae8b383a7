"""The page of a close: progress, checklist with what blocks it, signatures, files, and the dialogs of review and lock."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from ledger.controls import clock
from ledger.controls.console import actor_of, amount, lamp, trail
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.models import Move
from reconciliation import making_again, reopening, schedule, signing
from reconciliation.check_registry import every_check
from reconciliation.checklist import checklist_of
from reconciliation.close_runs import window_of_close
from reconciliation.console import dialogs
from reconciliation.models import CloseArtifact, CloseDownload, CloseRun, CloseSignature, ExceptionCase
from reconciliation.proving import proof_of

_SHOWN = 20


@require_GET
def page(request: HttpRequest, reference: str) -> HttpResponse:
    """Show a close. Everything that changes something is a POST to `act`."""
    close = _close(request, reference)
    window = window_of_close(close)
    now = clock.now()
    checklist = checklist_of(close)
    breaks = close.counts.get("breaks", {})
    proposal = reopening.open_proposal(close) if close.state in ("signed", "locked") else None
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        **trail(close),
        "title": f"Close of {close.business_date.isoformat()} ({close.environment})",
        "close": close,
        "state": lamp(close.state),
        "window": window,
        "signable": now >= window.signable_from,
        "running": _at_work(close),
        "proof": proof_of(close),
        "points": [_point(point) for point in checklist.points],
        "complete": checklist.complete,
        "breaks": [
            (check, breaks.get(check.name, 0), check.name in close.counts.get("cut_off", [])) for check in every_check()
        ],
        "records": [
            (kind.replace("_", " "), number) for kind, number in sorted(close.counts.get("records", {}).items())
        ],
        "zero_sum": sorted(close.control_totals.get("zero_sum", {}).items()),
        "reads": close.counts.get("status_reads", {}),
        "in_flight": close.counts.get("in_flight", 0),
        "files": CloseArtifact.objects.filter(close_reference=close.reference).order_by("name"),
        "signatures": CloseSignature.objects.filter(close_reference=close.reference).order_by("id"),
        "downloads": CloseDownload.objects.filter(close_reference=close.reference).order_by("-id")[:_SHOWN],
        "moves": Move.objects.filter(subject=close.reference).order_by("id"),
        "proposal": proposal,
        "is_maker": proposal is not None and proposal.maker == actor_of(request),
        "is_preparer": close.preparer == actor_of(request),
        "may_close": may(request.user, Ability.CLOSE),
        "may_sign": may(request.user, Ability.SIGN_CLOSES),
    }
    return render(request, "console/close_page.html", context)


@require_GET
def progress(request: HttpRequest, reference: str) -> HttpResponse:
    """Say how far a run is, for the page that asks every second."""
    close = _close(request, reference)
    return JsonResponse(
        {
            "step": close.step,
            "done": close.steps_done,
            "planned": close.steps_planned,
            "runs": close.runs,
            "running": _at_work(close),
            "error": close.last_error if close.attempts else "",
        }
    )


@require_POST
def act(request: HttpRequest, reference: str, action: str) -> HttpResponse:
    """Carry out one of the page's dialogs and go back to the page; a refusal is a message there."""
    return dialogs.carry_out(
        request,
        reference=reference,
        action=action,
        actions=_ACTIONS,
        find=_close,
        kind="close",
        page="admin:close-page",
    )


def _at_work(close: CloseRun) -> bool:
    """Tell whether a worker runs or proves it or makes its files again, or is about to."""
    due = close.available_at is not None and close.available_at <= clock.now()
    return (
        bool(close.step)
        or close.files_asked_at is not None
        or (due and close.state in (CloseRun.State.OPEN, CloseRun.State.IN_REVIEW))
    )


def _run(request: HttpRequest, close: CloseRun) -> str:
    need(request.user, Ability.CLOSE)
    schedule.request_run(close, now=clock.now())
    return "It runs."


def _submit(request: HttpRequest, close: CloseRun) -> str:
    need(request.user, Ability.CLOSE)
    signing.submit_close(
        close_reference=close.reference,
        close_version=dialogs.version(request),
        comment=request.POST.get("reason", ""),
        actor=actor_of(request),
        now=clock.now(),
    )
    return "Signed as preparer: somebody else reviews it."


def _sign(request: HttpRequest, close: CloseRun) -> str:
    need(request.user, Ability.SIGN_CLOSES)
    signing.sign_close(
        close_reference=close.reference,
        close_version=dialogs.version(request),
        comment=request.POST.get("reason", ""),
        actor=actor_of(request),
    )
    return "Signed, and the date is locked."


def _send_back(request: HttpRequest, close: CloseRun) -> str:
    need(request.user, Ability.CLOSE)
    signing.send_back(
        close_reference=close.reference,
        close_version=dialogs.version(request),
        reason=request.POST.get("reason", ""),
        actor=actor_of(request),
        now=clock.now(),
    )
    return "It is open again."


def _propose_reopening(request: HttpRequest, close: CloseRun) -> str:
    need(request.user, Ability.CLOSE)
    reopening.propose_reopening(
        close_reference=close.reference,
        reason=request.POST.get("reason", "")[:1000],
        maker=actor_of(request),
        now=clock.now(),
    )
    return "Proposed: a second person has to approve it."


def _approve_reopening(request: HttpRequest, close: CloseRun) -> str:
    need(request.user, Ability.SIGN_CLOSES)
    reopening.approve_reopening(
        close_reference=close.reference,
        reason=request.POST.get("reason", "")[:1000],
        checker=actor_of(request),
        now=clock.now(),
    )
    return "The date is open again."


def _refuse_reopening(request: HttpRequest, close: CloseRun) -> str:
    need(request.user, Ability.CLOSE)
    reopening.refuse_reopening(
        close_reference=close.reference,
        reason=request.POST.get("reason", "")[:1000],
        checker=actor_of(request),
        now=clock.now(),
    )
    return "The proposal is off; the date stays locked."


def _make_again(request: HttpRequest, close: CloseRun) -> str:
    need(request.user, Ability.CLOSE)
    making_again.ask(close, actor=actor_of(request), now=clock.now())
    return "A worker makes the files again and compares them."


_ACTIONS: dict[str, Callable[[HttpRequest, CloseRun], str]] = {
    "run": _run,
    "submit": _submit,
    "sign": _sign,
    "send-back": _send_back,
    "propose-reopening": _propose_reopening,
    "approve-reopening": _approve_reopening,
    "refuse-reopening": _refuse_reopening,
    "make-again": _make_again,
}


def _close(request: HttpRequest, reference: str) -> CloseRun:
    if not sees(request.user, Section.CLOSE):
        raise PermissionDenied
    close = CloseRun.objects.filter(reference=reference).first()
    if close is None:
        raise Http404
    return close


def _point(point: Any) -> dict[str, Any]:
    cases: list[ExceptionCase] = list(point.cases)
    titles = {check.name: check.title for check in every_check()}
    return {
        "point": point,
        "cases": [
            {
                "row": case,
                "title": titles.get(case.type, case.type),
                "state": lamp(case.state),
                "amount": amount(case.amount_minor, case.asset),
            }
            for case in cases[:_SHOWN]
        ],
        "more": max(len(cases) - _SHOWN, 0),
    }
