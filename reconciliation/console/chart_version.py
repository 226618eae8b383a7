"""The page of one version of a chart, mapping or template: who made it, what differs, and the second person's decision."""

import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from ledger.chart import csv_import, versions
from ledger.chart.entries import from_rows
from ledger.chart.mappings import written
from ledger.controls import clock
from ledger.controls.console import actor_of, attempt
from ledger.controls.refusals import Malformed, Refusal
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.models import Approval, ChartVersion, GLMapping, Move, PostingTemplate
from ledger.models.chart import Version
from reconciliation.console.event_type import difference


@require_GET
def page(request: HttpRequest, reference: str) -> HttpResponse:
    """Show a version beside the one that it replaces. Changes nothing."""
    if not sees(request.user, Section.LEDGER):
        raise PermissionDenied
    row = _found(reference)
    before = _before(row)
    proposal = versions.proposal_of(row)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": f"{row._meta.verbose_name} {getattr(row, 'event_type', '')} {row.number}",
        "row": row,
        "kind": str(row._meta.verbose_name),
        "event_type": getattr(row, "event_type", ""),
        "before": before,
        "diff": [] if isinstance(row, ChartVersion) else difference(_text(before) if before else "", _text(row)),
        "lines": _lines(before, row),
        "text": _text(row),
        "proposal": proposal,
        "together": [one for one in versions.together(row) if one.reference != row.reference] if proposal else [],
        "approvals": Approval.objects.filter(subject=reference).order_by("id"),
        "moves": Move.objects.filter(subject=reference).order_by("sequence"),
        "may_activate": may(request.user, Ability.ACTIVATE_CHART),
        "may_propose": may(request.user, Ability.PROPOSE_CHART),
        "is_maker": proposal is not None and proposal.maker == actor_of(request),
    }
    return render(request, "console/chart_version.html", context)


@require_POST
def act(request: HttpRequest, reference: str, action: str) -> HttpResponse:
    """Activate, refuse or withdraw a proposal and go back to its page; a refusal is a message there."""
    handler = _ACTIONS.get(action)
    if handler is None or not sees(request.user, Section.LEDGER):
        raise Http404
    attempt(request, lambda: handler(request, reference))
    return redirect("admin:chart-version", reference)


def _activate(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.ACTIVATE_CHART)
    rows = versions.activate(reference=reference, reason=_reason(request), actor=actor_of(request), now=clock.now())
    return f"Active: {', '.join(f'{row} (version {row.number})' for row in rows)}."


def _refuse(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.PROPOSE_CHART)
    row = _found(reference)
    proposal = versions.proposal_of(row)
    if proposal is not None and proposal.maker != actor_of(request):
        need(request.user, Ability.ACTIVATE_CHART)
    versions.refuse(reference=reference, reason=_reason(request), actor=actor_of(request), now=clock.now())
    return "The proposal is off: nothing has changed."


_ACTIONS: dict[str, Callable[[HttpRequest, str], str]] = {"activate": _activate, "refuse": _refuse}


def _reason(request: HttpRequest) -> str:
    reason = request.POST.get("reason", "").strip()
    if not reason:
        raise Malformed("A reason is needed.")
    return reason[:200]


def _found(reference: str) -> Version:
    try:
        return versions.named(reference)
    except Refusal as refusal:
        raise Http404 from refusal


def _before(row: Version) -> Version | None:
    """Return what stands, or for a version that has stood itself the one before it."""
    same = row.siblings()
    if row.state in (Version.State.DRAFT, Version.State.PROPOSED):
        same = same.filter(state=Version.State.ACTIVE)
    else:
        same = same.filter(number__lt=row.number, activated_at__isnull=False)
    found: Version | None = same.order_by("-number").first()
    return found


def _text(row: Version) -> str:
    if isinstance(row, PostingTemplate):
        return row.source
    if isinstance(row, GLMapping):
        return written(row.content)
    return json.dumps(getattr(row, "content", None), indent=2, ensure_ascii=False)


def _lines(before: Version | None, row: Version) -> list[tuple[str, str, str]]:
    if not isinstance(row, ChartVersion):
        return []
    old = from_rows(before.content) if isinstance(before, ChartVersion) else from_rows([])
    return csv_import.differences(old, from_rows(row.content))
