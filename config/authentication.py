"""Bearer API keys for REST."""

import re

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from ledger.controls.rest.caller import Caller
from wallets import operators

_BEARER = re.compile(r"(?i:Bearer) +(hf_(?:test|live)_[a-z0-9]{20,100})", re.ASCII)


def caller_of(header: str) -> Caller | None:
    """Return whom an Authorization header belongs to, None without one. Raises AuthenticationFailed."""
    if not header:
        return None
    match = _BEARER.fullmatch(header)
    caller = operators.caller_with_key(secret=match.group(1)) if match else None
    if caller is None:
        raise AuthenticationFailed
    return caller


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer hf_test_…`. One key is one operator in one environment."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        caller = caller_of(request.META.get("HTTP_AUTHORIZATION", ""))
        return None if caller is None else (caller, None)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # drf-spectacular registers by subclass
    target_class = "config.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "hf_test_… or hf_live_…"}
