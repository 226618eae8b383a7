"""`POST /v1/inbox/{provider}`: bytes and headers in, 2xx or a quick refusal out (0Pools: return 2xx quickly).

The message is verified by its signature: no API key, no session. It is read to its stated length, which is bounded before
a byte is read; a message without a length is refused.
"""

from collections.abc import Mapping
from typing import Final

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from ledger.controls.refusals import Refusal
from ledger.controls.rest import answers, problems
from webhooks import inbox

_LONGEST_CODE: Final = 60


@csrf_exempt
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """Take one message of a provider. A repeat is answered 2xx too: its sender may stop."""
    if request.method != "POST":
        return problems.problem(status=405, code="method_not_allowed", headers={"Allow": "POST"})
    try:
        reception = _received(request, provider)
    except Refusal as refusal:
        return problems.of_refusal(refusal)
    except (OperationalError, InterfaceError):
        inbox.log.exception("inbox.database_unavailable")
        return problems.problem(status=503, code="unavailable", headers={"Retry-After": "1"})
    known = reception is not inbox.Reception.RECEIVED
    return answers.answer({"received": True, "known": known}, status=200 if known else 202)


def _received(request: HttpRequest, code: str) -> inbox.Reception:
    provider = inbox.provider_for(code[:_LONGEST_CODE])
    length = request.META.get("CONTENT_LENGTH") or ""
    if not (length.isascii() and length.isdigit() and len(length) <= 12):
        inbox.count(provider.code, "no_length")
        raise inbox.NotReadable("A message says its length: Content-Length.")
    inbox.refuse_large(provider, int(length))
    try:
        body = request.body
    except (UnreadablePostError, RequestDataTooBig):
        inbox.count(provider.code, "unreadable")
        raise inbox.NotReadable("The body did not arrive whole.") from None
    if len(body) != int(length):
        inbox.count(provider.code, "unreadable")
        raise inbox.NotReadable("The body did not arrive whole.")
    return inbox.receive(provider, headers=_headers(request), body=body)


def _headers(request: HttpRequest) -> Mapping[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}
