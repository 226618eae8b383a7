"""Django's middleware of people's sessions, for the console alone: REST knows neither cookies nor sessions nor messages.

Its views authenticate by API key, the inbox by signature, and none reads a cookie, so that there is no request to forge.
"""

from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest
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


def _is_rest(request: HttpRequest) -> bool:
    return request.path_info.startswith(_REST)
