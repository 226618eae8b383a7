"""Django's middleware of people's sessions, for the console alone: REST knows neither cookies nor sessions nor messages.

Its views authenticate by API key, the inbox by signature, and none reads a cookie, so that there is no request to forge.
"""

from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseForbidden
from django.middleware import csrf
from django_otp import middleware as otp

_REST: Final = "/v1/"


class SessionMiddleware(sessions.SessionMiddleware):
    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request) if _is_rest(request) else super().__call__(request)


class AuthenticationMiddleware(auth.AuthenticationMiddleware):
    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request) if _is_rest(request) else super().__call__(request)


class MessageMiddleware(messages.MessageMiddleware):
    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request) if _is_rest(request) else super().__call__(request)


class OTPMiddleware(otp.OTPMiddleware):
    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request) if _is_rest(request) else super().__call__(request)


class CsrfViewMiddleware(csrf.CsrfViewMiddleware):
    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request) if _is_rest(request) else super().__call__(request)

    def process_view(
        self, request: HttpRequest, callback: Callable[..., Any], callback_args: tuple[Any, ...], callback_kwargs: Any
    ) -> HttpResponseForbidden | None:
        if _is_rest(request):
            return None
        return super().process_view(request, callback, callback_args, callback_kwargs)


class NullCharactersMiddleware:
    """Takes null characters out of what a person's form or address says: nobody types them, and the database has none."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        if not _is_rest(request):
            request.GET = _without_nulls(request.GET)  # type: ignore[assignment]  # made immutable
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, callback: Callable[..., Any], callback_args: tuple[Any, ...], callback_kwargs: Any
    ) -> None:
        if request.method == "POST" and not _is_rest(request):
            request.POST = _without_nulls(request.POST)  # type: ignore[assignment]  # made immutable


def _without_nulls(told: QueryDict) -> QueryDict:
    if not any("\x00" in text for name, values in told.lists() for text in (name, *values)):
        return told
    cleaned = QueryDict(mutable=True)
    for name, values in told.lists():
        cleaned.setlist(name.replace("\x00", ""), [value.replace("\x00", "") for value in values])
    cleaned._mutable = False
    return cleaned


def _is_rest(request: HttpRequest) -> bool:
    return request.path_info.startswith(_REST)
