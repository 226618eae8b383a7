"""The shape of what comes in: DRF serializers that take no other JSON type, no unknown field and no second value."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn

from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.request import Request

_MOST_UNKNOWN = 10
_LONGEST_NAME = 80


class Shape(serializers.Serializer[Any]):
    """A JSON object with these fields and no others."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("A JSON object is needed.")
        errors: dict[str, Any] = {
            name[:_LONGEST_NAME]: ["This route does not know this field."]
            for name in sorted(set(data) - set(self.fields))[:_MOST_UNKNOWN]
        }
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**errors, **error.detail}) from error  # type: ignore[dict-item]
        if errors:
            raise serializers.ValidationError(errors)
        return value


class Text(serializers.CharField):
    """A JSON string as it stands, not blank unless told, without null characters."""

    default_error_messages = {"invalid": "A JSON string is needed."}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, "max_length": 255, **options})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class AmountText(Text):
    """A decimal string in major units; the operation reads it by its asset's scale."""

    default_error_messages = {"invalid": "An amount is a decimal string, for example “100.00”."}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 80, **options})


class Flag(serializers.BooleanField):
    """JSON true or false, and nothing that merely looks like it."""

    default_error_messages = {"invalid": "true or false is needed."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Word(serializers.ChoiceField):
    """One of a closed set of JSON strings."""

    default_error_messages = {"invalid_choice": "One of these is needed: {words}."}

    def fail(self, key: str, **said: Any) -> NoReturn:
        super().fail(key, words=", ".join(str(word) for word in self.choices), **said)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input="")
        return super().to_internal_value(data)


class QueryFlag(serializers.BooleanField):
    """`true` or `false` in a query."""

    default_error_messages = {"invalid": "true or false is needed."}

    def to_internal_value(self, data: Any) -> bool:
        if data not in ("true", "false"):
            self.fail("invalid", input=data)
        return bool(data == "true")


class QueryNumber(serializers.IntegerField):
    """A whole number in a query: plain ASCII digits."""

    default_error_messages = {"invalid": "A whole number is needed."}

    def to_internal_value(self, data: Any) -> int:
        if not (isinstance(data, str) and data.isascii() and data.isdigit() and len(data) <= 9):
            self.fail("invalid")
        return int(data)


def read_body(request: Request, shape: type[Shape]) -> Mapping[str, Any]:
    """Return the fields of a JSON body. Raises DRF's ValidationError, MalformedJson or UnsupportedMediaType."""
    return _read(shape, request.data)


def read_query(request: HttpRequest | Request, shape: type[Shape]) -> Mapping[str, Any]:
    """Return the fields of the query. One that is given twice is refused."""
    if not request.META.get("QUERY_STRING"):
        return dict(_of_no_query(shape))
    twice = [name for name, values in request.GET.lists() if len(values) > 1]
    if twice:
        raise serializers.ValidationError({name[:_LONGEST_NAME]: ["Given twice."] for name in twice[:_MOST_UNKNOWN]})
    return _read(shape, request.GET.dict())


def _read(shape: type[Shape], given: object) -> Mapping[str, Any]:
    value: Mapping[str, Any] = _instance(shape).run_validation(given)
    return value


@cache
def _of_no_query(shape: type[Shape]) -> Mapping[str, Any]:
    """What a shape reads where nothing is given is always the same."""
    return _read(shape, {})


@cache
def _instance(shape: type[Shape]) -> Shape:
    """One instance for all requests: reading keeps nothing in it, and making its fields costs more than using them."""
    return shape()
