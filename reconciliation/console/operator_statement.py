"""Operators' statements in the console: what is owed at the end of a date, printable, and its settlement by two people."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import islice
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from ledger import assets
from ledger.controls import clock
from ledger.controls.console import actor_of, attempt
from ledger.controls.refusals import Refusal
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.environments import Environment
from ledger.models import Approval
from reconciliation import operator_statements
from reconciliation.operator_statements import OperatorStatement, Part
from reconciliation.statements import sources
from reconciliation.windows import business_date_of
from wallets.models import Operator
from wallets.operations import settle_operator

_SHOWN = 500


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Show what every operator owes, or is owed, at the end of a date (yesterday, where none is asked for)."""
    if not sees(request.user, Section.CLOSE):
        raise PermissionDenied
    environment = request.GET.get("environment", Environment.TEST)
    if environment not in Environment.values:
        raise Http404
    now = clock.now()
    yesterday = business_date_of(environment=environment, instant=now) - timedelta(days=1)
    day = _date(request.GET["date"]) if request.GET.get("date") else yesterday
    operators = list(Operator.objects.filter(kind=Operator.Kind.OPERATOR).order_by("slug"))
    found = operator_statements.statements(operators=operators, environment=environment, business_date=day, now=now)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Operators' statements",
        "environment": environment,
        "environments": Environment.values,
        "day": day,
        "rows": [{"statement": one, "part": _shown(part)} for one in found for part in one.parts],
    }
    return render(request, "console/statements/operators.html", context)


@require_GET
def one(request: HttpRequest, environment: str, slug: str, day: str) -> HttpResponseBase:
    """Show a statement, to be printed; with `?format=csv` its movements."""
    if not sees(request.user, Section.CLOSE):
        raise PermissionDenied
    found = _statement(environment, slug, day)
    if request.GET.get("format") == "csv":
        response = StreamingHttpResponse(operator_statements.as_csv(found), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{operator_statements.file_name(found)}"'
        response["Cache-Control"] = "no-store"
        return response
    lines = list(islice(operator_statements.movements(found), _SHOWN + 1))
    asked = settle_operator.proposals(
        operator=found.operator, environment=environment, business_date=found.business_date
    )
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": f"Statement of {found.operator.name}, {found.business_date.isoformat()}",
        "statement": found,
        "parts": [_shown(part) for part in found.parts],
        "lines": [{"line": one, "amount": assets.text(one.amount_minor, one.asset)} for one in lines[:_SHOWN]],
        "more": len(lines) > _SHOWN,
        "proposals": [_proposal(request, one) for one in asked],
        "waiting": {one.content["asset"] for one in asked if one.decision == Approval.Decision.PROPOSED},
        "banks": sources.banks(environment),
        "may_propose": may(request.user, Ability.PROPOSE_POSTINGS),
        "may_approve": may(request.user, Ability.APPROVE_POSTINGS),
    }
    return render(request, "console/statements/operator.html", context)


@require_POST
def act(request: HttpRequest, environment: str, slug: str, day: str, action: str) -> HttpResponse:
    """Propose, approve or refuse a settlement and go back to the statement; a refusal is a message there."""
    handler = _ACTIONS.get(action)
    if handler is None or not sees(request.user, Section.CLOSE):
        raise Http404
    found = _statement(environment, slug, day)
    attempt(request, lambda: handler(request, found))
    return redirect("admin:operator-statement", environment, slug, day)


def _propose(request: HttpRequest, found: OperatorStatement) -> str:
    need(request.user, Ability.PROPOSE_POSTINGS)
    settle_operator.propose_settlement(
        environment=found.environment,
        operator_slug=found.operator.slug,
        business_date=found.business_date,
        asset=request.POST.get("asset", "").replace("\x00", ""),
        bank=request.POST.get("bank", "").replace("\x00", ""),
        reason=request.POST.get("reason", "")[:1000],
        maker=actor_of(request),
        now=clock.now(),
    )
    return "Proposed: a second person has to approve it."


def _approve(request: HttpRequest, found: OperatorStatement) -> str:
    need(request.user, Ability.APPROVE_POSTINGS)
    settle_operator.approve_settlement(
        reference=request.POST.get("proposal", ""),
        reason=request.POST.get("reason", "")[:1000],
        checker=actor_of(request),
        now=clock.now(),
    )
    return "Approved and posted."


def _refuse(request: HttpRequest, found: OperatorStatement) -> str:
    need(request.user, Ability.PROPOSE_POSTINGS)
    settle_operator.refuse_settlement(
        reference=request.POST.get("proposal", ""),
        reason=request.POST.get("reason", "")[:1000],
        checker=actor_of(request),
        now=clock.now(),
    )
    return "The proposal is off; nothing was posted."


_ACTIONS: dict[str, Callable[[HttpRequest, OperatorStatement], str]] = {
    "propose": _propose,
    "approve": _approve,
    "refuse": _refuse,
}


def _statement(environment: str, slug: str, day: str) -> OperatorStatement:
    operator = Operator.objects.filter(slug=slug, kind=Operator.Kind.OPERATOR).first()
    if operator is None or environment not in Environment.values:
        raise Http404
    try:
        return operator_statements.statement(
            operator=operator, environment=environment, business_date=_date(day), now=clock.now()
        )
    except Refusal as refusal:
        raise Http404 from refusal


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text) if len(text) == len("YYYY-MM-DD") else None
    except ValueError:
        found = None
    if found is None or not 2000 <= found.year < 2200:
        raise Http404
    return found


def _shown(part: Part) -> dict[str, Any]:
    def text(minor: int) -> str:
        return assets.text(minor, part.asset)

    owed = part.outstanding
    return {
        "asset": part.asset,
        "opening": text(part.opening),
        "movements": [(one.kind, one.count, text(one.owed_to_us), text(one.owed_to_you)) for one in part.movements],
        "closing": text(part.closing),
        "settled_since": text(part.settled_since),
        "outstanding": text(abs(owed)),
        "pays": "the operator pays us" if owed > 0 else "we pay the operator" if owed < 0 else "nothing to settle",
        "is_owed": owed != 0,
    }


def _proposal(request: HttpRequest, row: Approval) -> dict[str, Any]:
    return {
        "row": row,
        "is_open": row.decision == Approval.Decision.PROPOSED,
        "is_maker": row.maker == actor_of(request),
        "postings": [
            (one.debit, one.credit, f"{assets.text(one.amount.minor, one.amount.asset)} {one.amount.asset}")
            for one in settle_operator.postings_of(row)
        ],
    }
