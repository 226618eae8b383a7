"""The page of one event type: its mapping and template, a draft to check, to preview and to propose, and its versions.

Checking and previewing are POSTs that write nothing: their text is too long for an address.
"""

import difflib
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from ledger import assets, money
from ledger.chart import stored, versions
from ledger.chart.bundled import gl_mappings, sources
from ledger.chart.mappings import Mapping, written
from ledger.chart.preview import Effect, Preview, preview
from ledger.controls import clock
from ledger.controls.console import actor_of, amount
from ledger.controls.refusals import Malformed, Refusal
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.environments import Environment
from ledger.models import GLMapping, PostingTemplate
from ledger.models.chart import Version
from ledger.money import InvalidAmount, Money

_SHOWN = 50


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, environment: str, name: str) -> HttpResponse:
    """Show an event type; a POST checks, previews or proposes the draft in it."""
    if not sees(request.user, Section.LEDGER):
        raise PermissionDenied
    if environment not in Environment.values:
        raise Http404
    standing = stored.standing(environment)
    if name not in standing.mappings or name not in standing.sources:
        raise Http404
    source = _text(request, "source", standing.sources[name])
    mapped = _text(request, "mapping", _written(environment, name))
    context: dict[str, Any] = {}
    if request.method == "POST":
        answer = _answer(request, environment, name, source, mapped, context)
        if answer is not None:
            return answer
    of_this = {"environment": environment, "event_type": name}
    context = {
        **admin.site.each_context(request),
        "title": f"{name} ({environment})",
        "environment": environment,
        "name": name,
        "mapping": standing.mappings[name],
        "source": source,
        "mapping_text": mapped,
        "note": request.POST.get("note", ""),
        "standing_source": standing.sources[name],
        "parameters": _parameters(request, standing.mappings[name]),
        "assets": sorted(assets.codes()),
        "asset": request.POST.get("asset", "EUR"),
        "versions": PostingTemplate.objects.filter(**of_this).order_by("-number")[:_SHOWN],
        "mapping_versions": GLMapping.objects.filter(**of_this).order_by("-number")[:_SHOWN],
        "bundled": sources().get(name) == standing.sources[name] and gl_mappings().get(name) == standing.mappings[name],
        "may_propose": may(request.user, Ability.PROPOSE_CHART),
        **context,
    }
    return render(request, "console/event_type.html", context)


def difference(before: str, after: str) -> list[dict[str, str]]:
    """Return the lines of a unified diff, each with what it is: added, removed, or about."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "active", "draft", lineterm="")
    kinds = {"+": "added", "-": "removed", "@": "about"}
    return [{"text": line, "kind": kinds.get(line[:1], "same")} for line in lines if line[:3] not in ("+++", "---")]


def _answer(
    request: HttpRequest, environment: str, name: str, source: str, mapped: str, context: dict[str, Any]
) -> HttpResponseRedirect | None:
    """Do what the pressed button says; a refusal becomes a message on the page, with the draft kept in it."""
    try:
        content = versions.content_of(mapped)
        if request.POST.get("do") == "propose":
            need(request.user, Ability.PROPOSE_CHART)
            rows = versions.propose(
                environment=environment,
                event_type=name,
                source=source,
                content=content,
                note=request.POST.get("note", ""),
                actor=actor_of(request),
                now=clock.now(),
            )
            messages.success(request, "Proposed: a second person has to activate it.")
            return redirect("admin:chart-version", rows[-1].reference)
        standing = stored.standing(environment)
        context["checked"] = versions.check(environment=environment, event_type=name, source=source, content=content)
        context["diff"] = difference(standing.sources[name], source)
        if request.POST.get("do") == "preview" and not context["checked"].refused:
            context["preview"] = _shown(_preview(request, environment, name, source, content))
    except Refusal as refusal:
        messages.error(request, refusal.message)
    return None


def _preview(request: HttpRequest, environment: str, name: str, source: str, content: dict[str, Any]) -> Preview:
    mapping = versions.mapping_of(name, content)
    amounts: dict[str, Money] = {}
    for line in mapping.lines:
        text = request.POST.get(f"amount_{line}", "").strip()
        if text:
            code = request.POST.get(f"asset_{line}", "") or request.POST.get("asset", "EUR")
            try:
                amounts[line] = money.parse(text, assets.named(code))
            except InvalidAmount as error:
                raise Malformed(f"{line}: {error}") from error
    accounts = {
        role: text for role in mapping.accounts if (text := request.POST.get(f"account_{role}", "").strip()[:255])
    }
    return preview(
        environment=environment, event_type=name, source=source, content=content, amounts=amounts, accounts=accounts
    )


def _shown(found: Preview) -> dict[str, Any]:
    return {
        "postings": [{"sent": one, "amount": amount(one.amount.minor, one.amount.asset)} for one in found.postings],
        "effects": [
            {"effect": one, "before": _balance(one, one.before), "after": _balance(one, one.after)}
            for one in found.effects
        ],
    }


def _balance(effect: Effect, minor: int | None) -> str:
    return amount(minor, effect.asset) if minor is not None else "–"


def _parameters(request: HttpRequest, mapping: Mapping) -> dict[str, list[dict[str, Any]]]:
    return {
        "amounts": [
            {
                "name": name,
                "about": line.about,
                "required": line.required,
                "value": request.POST.get(f"amount_{name}", ""),
                "asset": request.POST.get(f"asset_{name}", ""),
            }
            for name, line in mapping.lines.items()
        ],
        "accounts": [
            {
                "name": name,
                "codes": " ".join(role.codes),
                "otherwise": role.otherwise,
                "value": request.POST.get(f"account_{name}", ""),
            }
            for name, role in mapping.accounts.items()
        ],
    }


def _text(request: HttpRequest, name: str, otherwise: str) -> str:
    """Return a text of the form with the line ends that the stored text has: a browser sends carriage returns."""
    return request.POST.get(name, otherwise).replace("\r\n", "\n")


def _written(environment: str, name: str) -> str:
    row = GLMapping.objects.get(environment=environment, event_type=name, state=Version.State.ACTIVE)
    return written(row.content)
