"""The request id: comes in or is made at the edge, is on every row and log line it caused, and goes out again."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from ledger.controls import references, request_context

HEADER = "X-Request-Id"

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def accepted(given: str) -> str:
    """Return the id as it came in, or "" when it is none."""
    return given if _ACCEPTED.fullmatch(given) else ""


class RequestIdMiddleware:
    """Bind the request id for the body of a request and answer with it, whatever the answer is.

    An id that is not 1 to 128 of A-Z a-z 0-9 . _ - is replaced, not refused.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = accepted(given) or references.new(references.Prefix.REQUEST)
        with request_context.bound(request_id=request_id):
            response = self._get_response(request)
        response[HEADER] = request_id
        return response
