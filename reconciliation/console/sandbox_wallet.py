"""The page that shows what the sandbox's wallet believes beside what we believe."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ledger.controls.console import amount
from ledger.controls.refusals import Refusal
from ledger.controls.roles import Section, sees
from reconciliation.sandbox_beliefs import MOST, Belief, beliefs, counted

_LONGEST = 120


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Show both sides' newest movements, those that differ first; `?about=` narrows to keys that begin with it."""
    if not sees(request.user, Section.OPERATORS):
        raise PermissionDenied
    about = request.GET.get("about", "").strip()[:_LONGEST].replace("\0", "")
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Sandbox wallet",
        "about": about,
        "most": MOST,
        "silent": "",
        "may_trace": sees(request.user, Section.ORDERS),
    }
    try:
        found = beliefs(about=about)
        context |= {"rows": [_shown(one) for one in found], "counted": counted(found)}
    except Refusal as refusal:
        context["silent"] = refusal.message
    return render(request, "console/sandbox_wallet.html", context)


def _shown(one: Belief) -> dict[str, Any]:
    ours = one.ours
    return {
        "belief": one,
        "ours_amount": amount(ours.amount_minor, ours.asset) if ours else "",
        "user": str(one.theirs["user_reference"])
        if one.theirs
        else str(ours.request["user_reference"])
        if ours
        else "",
        "order": ours.owner if ours and ours.owner.startswith("ord_") else "",
    }
