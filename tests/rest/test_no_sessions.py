"""REST has no sessions, people, messages or form tokens; the console has them, and is guarded against forged requests."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.utils.module_loading import import_string

from config import settings

_OF_SESSIONS = [import_string(name) for name in settings.MIDDLEWARE if name.startswith("config.console.")]


def _passed(request: HttpRequest) -> HttpRequest:
    """Send a request through the middleware of sessions as it stands in the settings."""

    def answer(_: HttpRequest) -> Any:
        return HttpResponse()

    for middleware in reversed(_OF_SESSIONS):
        answer = middleware(answer)
    answer(request)
    return request


@pytest.mark.parametrize(("path", "has"), [("/v1/transfers", False), ("/v1/inbox/acme", False), ("/console/", True)])
def test_sessions_people_and_messages_are_the_consoles_alone(path: str, has: bool) -> None:
    request = _passed(RequestFactory().get(path))
    assert len(_OF_SESSIONS) == 6
    assert [hasattr(request, name) for name in ("session", "user", "_messages")] == [has] * 3


@pytest.mark.usefixtures("database")
@override_settings(SECURE_SSL_REDIRECT=False)
def test_console_refuses_a_form_without_its_token() -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.get("/console/login/").status_code == 200
    assert client.post("/console/login/", {"username": "x", "password": "y"}).status_code == 403
