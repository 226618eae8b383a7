"""Settings are read from the environment, and an error names the variable."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.local.outside import Outside
from config.settings import environment
from config.settings.database import connection_settings


@pytest.mark.parametrize(
    ("read", "value", "complaint"),
    [
        (lambda: environment.text("X"), None, "X is not set"),
        (lambda: environment.text("X"), "   ", "X is not set"),
        (
            lambda: environment.text("X", at_least=8),
            "short",
            "X is too short: it needs at least 8 characters",
        ),
        (lambda: environment.flag("X", default=True), "maybe", "X must be true or false, not 'maybe'"),
        (lambda: environment.whole_number("X", default=1), "1.5", "X must be a whole number, not '1.5'"),
        (lambda: environment.whole_number("X", default=1), "٣", "X must be a whole number, not '٣'"),
        (lambda: environment.whole_number("X", default=1), "-1", "X must be at least 0, not -1"),
        (
            lambda: environment.whole_number("X", default=1, most=5),
            "6",
            "X must be between 0 and 5, not 6",
        ),
        (
            lambda: environment.choice("X", allowed=("json", "console"), default="json"),
            "xml",
            "X must be one of json, console, not 'xml'",
        ),
        (
            lambda: environment.destinations("X"),
            "localhost",
            "X must be a list of host:port, not 'localhost'",
        ),
        (lambda: environment.destinations("X"), "a:70000", "X must be a list of host:port, not 'a:70000'"),
        (
            lambda: environment.url("X", schemes=("redis",)),
            "http://user:hidden@host",
            "X must be a URL that begins with redis://",
        ),
        (lambda: connection_settings("X"), "postgresql://user:hidden@host", "X names no database"),
        (lambda: connection_settings("X"), "postgresql://host/db?nonsense=1", "X is not a PostgreSQL URL"),
    ],
)
def test_error_names_the_variable_when_its_value_is_wrong(
    monkeypatch: pytest.MonkeyPatch, read: object, value: str | None, complaint: str
) -> None:
    monkeypatch.delenv("X", raising=False)
    if value is not None:
        monkeypatch.setenv("X", value)
    assert callable(read)
    with pytest.raises(ImproperlyConfigured) as raised:
        read()
    assert str(raised.value) == complaint


def test_values_are_read_when_they_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", " On ")
    assert environment.flag("X", default=False) is True
    monkeypatch.setenv("X", "a, b,,c ")
    assert environment.names("X") == ["a", "b", "c"]
    monkeypatch.setenv("X", "127.0.0.1:8100, ::1:9000")
    assert environment.destinations("X") == [("127.0.0.1", 8100), ("::1", 9000)]
    monkeypatch.setenv("X", "12")
    assert environment.whole_number("X", default=3) == 12
    monkeypatch.setenv("X", "")
    assert environment.names("X", default=("kept",)) == []
    assert environment.whole_number("X", default=3) == 3


def test_socket_folder_is_a_host_when_the_url_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "postgresql://role:word@/holdfast?host=/tmp/socket&port=5432&sslmode=disable")
    settings = connection_settings("X")
    assert settings["HOST"] == "/tmp/socket"
    assert (settings["NAME"], settings["USER"], settings["PASSWORD"]) == ("holdfast", "role", "word")
    assert settings["PORT"] == "5432"
    assert settings["OPTIONS"]["sslmode"] == "disable"
    assert settings["ATOMIC_REQUESTS"] is False


def test_the_stack_s_own_shell_names_no_receivers_and_another_may() -> None:
    """`OUTBOUND_ALLOW=127.0.0.1:8080 make run` lets webhooks reach a receiver of one's own on this machine."""
    mine = {"OUTBOUND_ALLOW": "127.0.0.1:8080"}
    assert Outside.named_in(mine).receivers == "127.0.0.1:8080"
    assert Outside.named_in({**mine, "HOLDFAST_LOCAL": "1"}).receivers == ""
