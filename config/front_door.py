"""What stands at ``/`` and at ``/v1``: what this is and where to go on, for whoever comes without a path."""

from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ledger.controls.rest.problems import problem

_PLACES: Final = (
    ("console", "admin:index", "Console", "queues, cases, the book, the close: for people with a log-in"),
    ("docs", "docs", "API", "every route, to read and to try"),
    ("document", "schema", "OpenAPI document", "the same for machines"),
    ("health", "readyz", "Health", "whether requests are served"),
)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the places of this address."""
    places = [{"url": reverse(name), "title": title, "what": what} for _, name, title, what in _PLACES]
    return render(request, "front_door.html", {"places": places})


def rest(request: HttpRequest) -> HttpResponse:
    """Answer with the same places by name; no key is needed."""
    if request.method not in ("GET", "HEAD"):
        return problem(status=405, code="method_not_allowed", headers={"Allow": "GET, HEAD"})
    return JsonResponse({"name": "Holdfast", "version": "v1"} | {key: reverse(name) for key, name, _, _ in _PLACES})
