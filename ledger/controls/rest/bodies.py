"""Request bodies: JSON in UTF-8, bounded, read strictly. What is off is a refusal, never a defect."""

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser

from ledger.controls.refusals import Malformed, Refusal

_DEEPEST = 16


class BodyTooLarge(Refusal):
    """The request's body is larger than this route takes."""

    code = "body_too_large"
    status = 413
    kept = False


class LengthRequired(Refusal):
    """A request with a body says its length: Content-Length."""

    code = "length_required"
    status = 411
    kept = False


class MalformedJson(Malformed):
    """The request's body is not one JSON value in UTF-8."""

    code = "malformed_json"


class NotJsonNumber:
    """A JSON number with a point or an exponent: no field takes one, since none is exact."""


def refuse_large(request: HttpRequest, *, limit: int | None = None) -> None:
    """Raise BodyTooLarge before a byte is read, or LengthRequired for a body of unknown length."""
    most = settings.REST_BODY_LIMIT if limit is None else limit
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length and request.META.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequired
    if length.isdigit() and int(length) > most:
        raise BodyTooLarge(f"A body has at most {most} bytes here.", limit=most)


class StrictJsonParser(BaseParser):
    """application/json without duplicate names, NaN, Infinity, half surrogates or deep nesting."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:  # type: ignore[explicit-any, unused-ignore]  # DRF's signature
        _refuse_other_charset(media_type or "")
        return read_json(stream.read())


def read_json(raw: bytes) -> object:
    """Return the value of a JSON text. Raises MalformedJson."""
    try:
        text = raw.decode("utf-8")
        value: object = json.loads(
            text, parse_constant=_refuse_constant, parse_float=lambda _: NotJsonNumber(), object_pairs_hook=_once_named
        )
        if "\\u" in text:  # an escape may be half a surrogate pair, which nothing can store or send
            _refuse_half_surrogates(value)
    except (ValueError, RecursionError) as error:
        raise MalformedJson(_explanation(error)) from error
    _refuse_deep(value, 0)
    return value


def _refuse_other_charset(content_type: str) -> None:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "charset" and value.strip('" ').lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType(content_type)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _once_named(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has two members of one name")
    return made


def _refuse_half_surrogates(value: object) -> None:
    json.dumps(value, ensure_ascii=False, default=lambda _: None).encode("utf-8")


def _refuse_deep(value: object, depth: int) -> None:
    if not isinstance(value, dict | list):
        return
    if depth == _DEEPEST:
        raise MalformedJson(f"The body nests deeper than {_DEEPEST}.")
    for member in value.values() if isinstance(value, dict) else value:
        _refuse_deep(member, depth + 1)


def _explanation(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return "The body is not UTF-8."
        case UnicodeEncodeError():
            return "The body has half of a surrogate pair."
        case RecursionError():
            return f"The body nests deeper than {_DEEPEST}."
        case json.JSONDecodeError():
            return f"The body is not JSON at character {error.pos}."
        case _:
            return (
                "The body is not JSON: NaN, Infinity, a name twice in one object, or a number of thousands of digits."
            )
