"""A page's dialogs: each is a POST of one action on one row; what came of it is a message on the page, and in the audit."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from django.contrib.admin.models import CHANGE
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from ledger.controls.console import attempt
from reconciliation.console import audit_entries

_Row = TypeVar("_Row", bound=Model)


def carry_out(
    request: HttpRequest,
    *,
    reference: str,
    action: str,
    actions: Mapping[str, Callable[[HttpRequest, _Row], str]],
    find: Callable[[HttpRequest, str], _Row],
    kind: str,
    page: str,
) -> HttpResponse:
    """Carry out an action and go back to the page; a refusal is a message there. An unknown action is not there."""
    handler = actions.get(action)
    if handler is None:
        raise Http404
    row = find(request, reference)
    if attempt(request, lambda: handler(request, row)):
        audit_entries.write(request, row, f"{kind}: {action}", request.POST.get("reason", "")[:500], flag=CHANGE)
    return redirect(page, reference)


def version(request: HttpRequest) -> int:
    """Return which version of the row the dialog showed; 0, which no row has, for anything but a number."""
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
