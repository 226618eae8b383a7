"""Errors as RFC 9457 `application/problem+json`: one shape for refusals, DRF's own errors, Django's and defects.

A problem is rendered here, to bytes: no renderer, negotiation or template can turn it into something else.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions

from ledger.controls import request_context
from ledger.controls.refusals import Refusal
from ledger.controls.rest import answers

CONTENT_TYPE = "application/problem+json"
TYPE = "https://holdfast.invalid/problems/"

_MOST_ERRORS = 50

TITLES: Mapping[str, str] = {
    "malformed": "The request does not have the shape that this route takes.",
    "not_authenticated": "This route needs an API key: Authorization: Bearer hf_…",
    "authentication_failed": "This API key does not exist, is revoked or has expired.",
    "permission_denied": "This key may not do that.",
    "not_found": "There is no such thing for this key.",
    "method_not_allowed": "This route does not take that method.",
    "not_acceptable": "This route answers in application/json.",
    "unsupported_media_type": "This route takes application/json in UTF-8.",
    "throttled": "Too many requests with this key; wait before the next one.",
    "unavailable": "The service cannot be reached for a moment; the request changed nothing. Try again.",
    "defect": "Something of ours went wrong. The request id finds it.",
}

log = structlog.get_logger(__name__)


def problem(
    *,
    status: int,
    code: str,
    title: str = "",
    detail: str = "",
    errors: Mapping[str, Any] | None = None,
    fields: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return a problem. `code` is stable and so is its title; `errors` maps request fields to lists of messages."""
    body: dict[str, Any] = {
        **(fields or {}),
        "type": TYPE + code,
        "title": title or TITLES.get(code, code),
        "status": status,
        "code": code,
        "request_id": request_context.request_id(),
    }
    if detail:
        body["detail"] = detail
    if errors:
        body["errors"] = errors
    return HttpResponse(
        answers.render(body),
        status=status,
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def of_refusal(refusal: Refusal) -> HttpResponse:
    """Return a refusal as the problem that its class declares."""
    title = (type(refusal).__doc__ or refusal.message).strip().splitlines()[0]
    return problem(
        status=refusal.status,
        code=refusal.code,
        title=title,
        detail=refusal.message if refusal.message != title else "",
        errors=refusal.errors,
        fields={name: value for name, value in refusal.fields.items() if value is not None},
        headers={"Retry-After": str(refusal.retry_after)} if refusal.retry_after is not None else None,
    )


def of_defect() -> HttpResponse:
    """Return what the outside may know of a defect: its request id."""
    return problem(status=500, code="defect")


def handle(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """DRF's exception handler. What is no refusal and no HTTP error is a defect and stays an exception."""
    if isinstance(error, Refusal):
        return of_refusal(error)
    if isinstance(error, OperationalError | InterfaceError):
        log.exception("rest.database_unavailable")
        return problem(status=503, code="unavailable", headers={"Retry-After": "1"})
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.APIException):
        return _of_api_exception(error)
    return None


def _of_api_exception(error: exceptions.APIException) -> HttpResponse:
    headers: dict[str, str] = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait) + 1)
    if isinstance(error, exceptions.ValidationError | exceptions.ParseError):
        errors = dict(islice(_flat(error.detail, ""), _MOST_ERRORS))
        return problem(status=400, code="malformed", errors=errors, headers=headers)
    return problem(status=error.status_code, code=error.default_code, headers=headers)


def _flat(detail: object, name: str) -> Iterator[tuple[str, list[str]]]:
    """Name each field that is off: `topics.0`; what is about the whole is `non_field_errors`."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(detail, list) and any(isinstance(item, Mapping | list) for item in detail):
        for place, inner in enumerate(detail):
            if inner:
                yield from _flat(inner, f"{name}.{place}")
    else:
        yield name or "non_field_errors", [str(item) for item in (detail if isinstance(detail, list) else [detail])]
