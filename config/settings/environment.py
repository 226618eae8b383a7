"""Read settings from the environment; an error names the variable and what is wrong with it."""

import base64
import os
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_KEY_OCTETS: Final = 32
_FALSE: Final = frozenset({"0", "false", "no", "off"})


def text(name: str, *, default: str | None = None, at_least: int = 1) -> str:
    """Return the variable's text; without a default it must be set to at least ``at_least`` characters."""
    value = os.environ.get(name, "").strip()
    if not value:
        if default is None:
            raise ImproperlyConfigured(f"{name} is not set")
        return default
    if len(value) < at_least:
        raise ImproperlyConfigured(f"{name} is too short: it needs at least {at_least} characters")
    return value


def keys(name: str) -> list[str]:
    """Return a comma-separated list of 32-byte keys in URL-safe base64, padded or not; the error shows none of them."""
    found = names(name)
    if not found:
        raise ImproperlyConfigured(f"{name} is not set")
    for key in found:
        try:
            octets = base64.b64decode(key + "=" * (-len(key) % 4), altchars=b"-_", validate=True)
        except ValueError:
            octets = b""
        if len(octets) != _KEY_OCTETS:
            raise ImproperlyConfigured(f"{name} must be a list of keys of 32 bytes each, in URL-safe base64")
    return found


def flag(name: str, *, default: bool) -> bool:
    """Return true for 1, true, yes, on and false for 0, false, no, off."""
    value = text(name, default="true" if default else "false").lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}")


def whole_number(name: str, *, default: int, least: int = 0, most: int | None = None) -> int:
    """Return a whole number between ``least`` and ``most``."""
    value = text(name, default=str(default))
    if not (value.isascii() and value.lstrip("-").isdigit()):
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}")
    number = int(value)
    if number < least or (most is not None and number > most):
        limit = f"at least {least}" if most is None else f"between {least} and {most}"
        raise ImproperlyConfigured(f"{name} must be {limit}, not {number}")
    return number


def choice(name: str, *, allowed: Iterable[str], default: str) -> str:
    """Return one of the allowed words."""
    words = tuple(allowed)
    value = text(name, default=default)
    if value not in words:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(words)}, not {value!r}")
    return value


def names(name: str, *, default: Iterable[str] = ()) -> list[str]:
    """Return the comma-separated list without blanks."""
    value = os.environ.get(name)
    if value is None:
        return list(default)
    return [item.strip() for item in value.split(",") if item.strip()]


def url(name: str, *, schemes: Iterable[str], default: str | None = None) -> str:
    """Return a URL of one of the schemes; the error does not show it, since it may hold a password."""
    value = text(name, default=default)
    allowed = tuple(schemes)
    if urlsplit(value).scheme not in allowed:
        raise ImproperlyConfigured(f"{name} must be a URL that begins with {' or '.join(allowed)}://")
    return value


def destinations(name: str) -> list[tuple[str, int]]:
    """Return a comma-separated list of ``host:port`` as pairs."""
    return [_destination(name, item) for item in names(name)]


def _destination(name: str, item: str) -> tuple[str, int]:
    host, colon, port = item.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ImproperlyConfigured(f"{name} must be a list of host:port, not {item!r}")
    return host, int(port)


def rates(name: str, *, default: str) -> dict[tuple[str, str], Decimal]:
    """Return a comma-separated list of ``BASE/QUOTE=rate`` as a table."""
    found: dict[tuple[str, str], Decimal] = {}
    for item in text(name, default=default).split(","):
        pair, equals, value = item.strip().partition("=")
        base, slash, quote = pair.partition("/")
        try:
            rate = Decimal(value)
        except InvalidOperation:
            rate = Decimal(0)
        if not (equals and slash and base and quote and rate.is_finite() and rate > 0):
            raise ImproperlyConfigured(f"{name} must be a list of BASE/QUOTE=rate, not {item!r}")
        found[base, quote] = rate
    return found


def hours(name: str, *, default: str) -> dict[str, int]:
    """Return a comma-separated list of ``word=hours`` as a table; the word ``*`` (any other) must be in it."""
    found: dict[str, int] = {}
    for item in text(name, default=default).split(","):
        word, equals, value = item.strip().partition("=")
        if not (equals and word and value.isascii() and value.isdigit() and 0 < int(value) <= 8784):
            raise ImproperlyConfigured(f"{name} must be a list of word=hours, not {item!r}")
        found[word] = int(value)
    if "*" not in found:
        raise ImproperlyConfigured(f"{name} must say the hours of any other: *=24")
    return found
