"""The page of statements: sources, what came in lately, and the form that a file comes in by."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from ledger.controls import clock
from ledger.controls.console import actor_of
from ledger.controls.refusals import Malformed, Refusal
from ledger.controls.roles import Ability, Section, may, need, sees
from reconciliation.models import StatementFile, StatementSource
from reconciliation.statements import importing, matching, sources

_SHOWN = 50


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Show what came in; a POST receives a file and shows its dry run on a page of its own."""
    if not sees(request.user, Section.CLOSE):
        raise PermissionDenied
    if request.method == "POST":
        try:
            need(request.user, Ability.WORK_STATEMENTS)
            file = _receive(request)
            if file.state == StatementFile.State.IMPORTED:
                messages.warning(request, f"This file was imported before: {file.name}, by {file.received_by}.")
            return redirect("admin:statement-file", file.reference)
        except Refusal as refusal:
            messages.error(request, refusal.message)
    alone = {
        row["source"]: row["lines"]
        for row in matching.unmatched().values("source").annotate(lines=Count("pk")).order_by()
    }
    found = StatementSource.objects.annotate(
        imported=Count("files", filter=Q(files__state=StatementFile.State.IMPORTED))
    ).order_by("environment", "code")
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Statements",
        "sources": [{"row": row, "alone": alone.get(row.pk, 0)} for row in found],
        "files": StatementFile.objects.select_related("source").defer("content").order_by("-pk")[:_SHOWN],
        "may_work": may(request.user, Ability.WORK_STATEMENTS),
        "largest": importing.LARGEST // 1024 // 1024,
    }
    return render(request, "console/statements/import.html", context)


def _receive(request: HttpRequest) -> StatementFile:
    environment, _, code = request.POST.get("source", "").partition(" ")
    source = sources.named(environment=environment, code=code.replace("\x00", ""))
    upload = request.FILES.get("file")
    if upload is None:
        raise Malformed("Choose a file.")
    if upload.size is None or upload.size > importing.LARGEST:
        raise importing.FileTooLarge
    return importing.receive(
        source=source, name=upload.name or "", content=upload.read(), actor=actor_of(request), now=clock.now()
    )
