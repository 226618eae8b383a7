"""The page that imports a granular chart as CSV: a dry run first, then a proposal that a second person activates."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from ledger.chart import csv_import, stored, versions
from ledger.controls import clock
from ledger.controls.console import actor_of
from ledger.controls.refusals import Malformed, Refusal
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.environments import Environment


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, environment: str) -> HttpResponse:
    """Show the form; a POST shows the dry run of a file, or proposes what a dry run showed."""
    if environment not in Environment.values:
        raise Http404
    if not may(request.user, Ability.PROPOSE_CHART):
        raise PermissionDenied
    context: dict[str, Any] = {"text": ""}
    if request.method == "POST":
        try:
            need(request.user, Ability.PROPOSE_CHART)
            text = _text(request)
            context["text"] = text
            found = csv_import.dry_run(environment=environment, text=text)
            context["dry_run"] = found
            context["rows"] = sorted(found.rows, key=lambda row: row.kind == "unchanged")
            if request.POST.get("do") == "propose" and found.stands:
                row = versions.propose_chart(
                    environment=environment,
                    rows=found.content,
                    note=request.POST.get("note", ""),
                    actor=actor_of(request),
                    now=clock.now(),
                )
                messages.success(request, "Proposed: a second person has to activate it.")
                return redirect("admin:chart-version", row.reference)
        except Refusal as refusal:
            messages.error(request, refusal.message)
    context = {
        **admin.site.each_context(request),
        "title": f"Import a chart ({environment})",
        "environment": environment,
        "note": request.POST.get("note", ""),
        **context,
    }
    return render(request, "console/chart_import.html", context)


@require_GET
def export(request: HttpRequest, environment: str) -> HttpResponse:
    """Give the active chart as the CSV that can be imported again."""
    if environment not in Environment.values:
        raise Http404
    if not sees(request.user, Section.LEDGER):
        raise PermissionDenied
    response = HttpResponse(csv_import.exported(stored.chart_of(environment)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="chart-{environment}.csv"'
    return response


def _text(request: HttpRequest) -> str:
    file = request.FILES.get("file")
    if file is None:
        return request.POST.get("text", "")
    if file.size is None or file.size > csv_import.LARGEST:
        raise Malformed("The file is larger than a megabyte.")
    try:
        return str(file.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Malformed("The file is not UTF-8.") from error
