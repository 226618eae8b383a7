"""What every REST view is: authenticated, scoped, throttled, bounded, and its changes once per key.

A view translates in, makes one domain call, translates out. It declares, by method: the scope it needs, whether it
takes an Idempotency-Key, and the refusals that it documents.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from ledger.controls.refusals import Refusal
from ledger.controls.rest import answers, bodies, idempotency, notes
from ledger.controls.rest.caller import Caller
from ledger.controls.rest.idempotency import KeyRule
from ledger.controls.rest.scopes import HasScope, Scope
from ledger.controls.rest.throttling import KeyThrottle

_ANY: Final = "*/*"
_CONVERTER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


class ApiView(APIView):
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    permission_classes = [HasScope]
    throttle_classes = [KeyThrottle]

    scopes: ClassVar[Mapping[str, Scope | None]] = {}
    """The scope that each method needs; None for a method that any key may use."""
    key_rules: ClassVar[Mapping[str, KeyRule]] = {}
    refusals: ClassVar[Mapping[str, tuple[type[Refusal], ...]]] = {}
    """What each method may refuse beyond what all do; for the document."""
    body_limit: ClassVar[int | None] = None
    """Bytes; None for settings.REST_BODY_LIMIT."""

    @property
    def caller(self) -> Caller:
        caller = self.request.user
        assert isinstance(caller, Caller)
        return caller

    @property
    def note(self) -> notes.Note:
        return notes.current()

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {"Allow": ", ".join(self.allowed_methods), "Cache-Control": "no-store"}

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """Settle at once for JSON where the view has nothing else and the caller takes it; ask DRF otherwise."""
        renderers = self.get_renderers()
        if (
            len(renderers) == 1
            and renderers[0].media_type == answers.CONTENT_TYPE
            and request._request.META.get("HTTP_ACCEPT", _ANY) in (_ANY, answers.CONTENT_TYPE)
            and not request._request.META.get("QUERY_STRING")  # `?format=` may ask for another
        ):
            return renderers[0], answers.CONTENT_TYPE
        return super().perform_content_negotiation(request, force)

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        if isinstance(request.user, Caller):
            self.note.caller = request.user

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        bodies.refuse_large(request._request, limit=self.body_limit)
        _ = request._request.body  # read once, before the parser: the claim's digest is of these bytes

    def once(self, work: idempotency.Work, *, rule: KeyRule | None = None) -> HttpResponse:
        """Carry the work out once for the request's key. `rule` overrides the method's."""
        http = self.request._request
        return idempotency.answer_once(
            request=http,
            caller=self.caller,
            route=f"{http.method} {route_of(http)}",
            rule=rule or self.key_rules[http.method or ""],
            work=work,
            note=self.note,
        )

    def once_in_two(
        self,
        *,
        begin: Callable[[datetime], str],
        question: Callable[[str], idempotency.Asked],
        finish: Callable[[str, idempotency.Asked, datetime], HttpResponse],
        refused: Callable[[str, Refusal, datetime], None],
    ) -> HttpResponse:
        """Carry out, once for the request's key, work with a question to the outside in its middle."""
        http = self.request._request
        return idempotency.answer_in_two(
            request=http,
            caller=self.caller,
            route=f"{http.method} {route_of(http)}",
            note=self.note,
            begin=begin,
            question=question,
            finish=finish,
            refused=refused,
        )


def route_of(request: HttpRequest) -> str:
    """Return the pattern that a request matched: /v1/orders/{order_id}."""
    match = request.resolver_match
    return shown_pattern(match.route) if match else ""


@cache
def shown_pattern(route: str) -> str:
    """Write a URL pattern without its converters."""
    return "/" + _CONVERTER.sub(r"{\1}", route)
