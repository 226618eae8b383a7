"""What Django answers by itself: below /v1 a problem like any other, elsewhere Django's own page."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views import defaults

from ledger.controls.rest import problems

_REST = "/v1/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path.startswith(_REST):
        return problems.problem(status=400, code="malformed")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path.startswith(_REST):
        return problems.problem(status=403, code="permission_denied")
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path.startswith(_REST):
        return problems.problem(status=404, code="no_such_route", title="There is no such route.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest, *_: Any) -> HttpResponse:
    """Django has logged the defect with its traceback and the request id."""
    if request.path.startswith(_REST):
        return problems.of_defect()
    return defaults.server_error(request)
