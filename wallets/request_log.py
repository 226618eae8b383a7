"""The request log: one row per authenticated request below /v1, without bodies (DESIGN.md section 2).

Written after the answer is made, in a statement of its own that does not wait for the disk. When it cannot be written
the answer goes out all the same.
"""

from collections.abc import Callable

import structlog
from django.db import Error
from django.http import HttpRequest, HttpResponse

from ledger.controls import clock, prepared, request_context
from ledger.controls.rest import notes
from ledger.controls.rest.caller import Caller
from ledger.controls.rest.views import route_of
from wallets.models import ApiRequest

_REST = "/v1/"

# The statement is a transaction of its own, and turns the wait for the disk off for it: losing the last rows with the
# machine is cheaper than that wait at each request.
_INSERT = """
INSERT INTO wallets_apirequest (request_id, operator_id, environment, key_id, method, route, subject, idempotency_key,
                                replay, status, duration_ms, received_at)
SELECT %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
       coalesce(%s::timestamptz, clock_timestamp()) - %s * interval '1 millisecond'
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS no_wait
"""

log = structlog.get_logger(__name__)


class RequestLogMiddleware:
    """Write the row when the request's views have noted whose it was."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(_REST):
            return self._get_response(request)
        began = clock.monotonic()
        with notes.noted() as note:
            response = self._get_response(request)
        if note.caller is not None:
            _write(request, response, note, milliseconds=round((clock.monotonic() - began) * 1000))
        return response


def write_stream(caller: Caller, *, route: str, subject: str, status: int, milliseconds: int) -> None:
    """Write the row of a stream when it opens, or is refused to a known caller; it lasts as long as it likes."""
    _insert(caller, method="GET", route=route, subject=subject, status=status, milliseconds=milliseconds)


def _write(request: HttpRequest, response: HttpResponse, note: notes.Note, *, milliseconds: int) -> None:
    assert note.caller is not None
    _insert(
        note.caller,
        method=request.method or "",
        route=route_of(request),
        subject=_subject(request, response, note),
        status=response.status_code,
        milliseconds=milliseconds,
        key=note.idempotency_key,
        key_use=note.key_use,
    )


def _insert(
    caller: Caller,
    *,
    method: str,
    route: str,
    subject: str,
    status: int,
    milliseconds: int,
    key: str = "",
    key_use: str = ApiRequest.Replay.NONE,
) -> None:
    try:
        prepared.rows(
            _INSERT,
            [
                request_context.request_id(),
                caller.operator_id,
                caller.environment,
                caller.key_id,
                method[:7],
                route[:200],
                subject[:40],
                key,
                str(key_use),
                status,
                milliseconds,
                clock.parameter(),
                milliseconds,
            ],
        )
    except Error:
        log.warning("request_log.not_written", exc_info=True)


def _subject(request: HttpRequest, response: HttpResponse, note: notes.Note) -> str:
    """Return the reference that the request was about: noted, made (its address is in the answer), or in its path."""
    if note.subject:
        return note.subject
    if location := response.headers.get("Location", ""):
        return location.rpartition("/")[2]
    match = request.resolver_match
    return str(next(iter(match.kwargs.values()), "")) if match else ""
