"""The page of event types: phase, mapping, template version and drift lamp of each, and the chart they stand on."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ledger.chart import stored
from ledger.chart.drift import Drift, find
from ledger.controls.roles import Ability, Section, may, sees
from ledger.environments import Environment
from ledger.models import ChartVersion, GLMapping, PostingTemplate
from ledger.models.chart import Version


def environment_of(request: HttpRequest) -> str:
    """Return the book that the page is about: live unless asked otherwise."""
    asked = request.GET.get("environment", "")
    return asked if asked in Environment.values else Environment.LIVE.value


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Show the event types of a book. Changes nothing. The accounts, perhaps millions, are looked at by `drift`."""
    if not sees(request.user, Section.LEDGER):
        raise PermissionDenied
    environment = environment_of(request)
    return render(request, "console/event_types.html", _context(request, environment))


@require_GET
def drift(request: HttpRequest) -> HttpResponse:
    """Show the drift of both books, account by account."""
    if not sees(request.user, Section.LEDGER):
        raise PermissionDenied
    books = [(environment.value, stored.find(environment)) for environment in Environment]
    context = {**admin.site.each_context(request), "title": "Drift of chart, mappings and templates", "books": books}
    return render(request, "console/chart_drift.html", context)


def _context(request: HttpRequest, environment: str) -> dict[str, Any]:
    standing = stored.standing(environment)
    found = find(chart=standing.chart, mappings=standing.mappings, sources=standing.sources)
    active = {"environment": environment, "state": Version.State.ACTIVE}
    templates = {row.event_type: row for row in PostingTemplate.objects.filter(**active).defer("source")}
    mapped = {row.event_type: row for row in GLMapping.objects.filter(**active).defer("content")}
    drifting: dict[str, list[Drift]] = {}
    for one in found:
        drifting.setdefault(one.subject, []).append(one)
    rows = [
        {
            "name": name,
            "mapping": mapping,
            "lines": [
                {"name": line, "debit": " ".join(one.debit), "credit": " ".join(one.credit)}
                for line, one in mapping.lines.items()
            ],
            "template": templates.get(name),
            "mapped": mapped.get(name),
            "drift": drifting.get(name, []),
        }
        for name, mapping in sorted(standing.mappings.items())
    ]
    return {
        **admin.site.each_context(request),
        "title": "Chart and event types",
        "environment": environment,
        "environments": Environment.values,
        "rows": rows,
        "drift": found,
        "entries": sorted(standing.chart.entries, key=lambda entry: entry.gl_code),
        "chart_versions": ChartVersion.objects.filter(environment=environment)
        .order_by("-number")
        .defer("content")[:10],
        "proposals": _proposals(environment),
        "may_propose": may(request.user, Ability.PROPOSE_CHART),
    }


def _proposals(environment: str) -> list[Version]:
    wanted = {"environment": environment, "state": Version.State.PROPOSED}
    return [
        row
        for model in (ChartVersion, GLMapping, PostingTemplate)
        for row in model._default_manager.filter(**wanted).order_by("number")
    ]
