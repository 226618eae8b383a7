"""What a part of a path may be. What does not match is no route: 404, before anything is asked."""

from typing import Final

from django.urls import register_converter
from django.urls.converters import StringConverter, get_converters


class ReferenceConverter(StringConverter):
    """One of our references: ord_01k… Another operator's has the same shape, and answers 404 too."""

    regex = "[a-z]{2,4}_[0-9a-z]{26}"


class CodeConverter(StringConverter):
    """A pool's code: EUR-USDT."""

    regex = r"[A-Za-z0-9._-]{1,40}"


class KeyConverter(StringConverter):
    """An idempotency key, theirs or ours."""

    regex = r"[A-Za-z0-9._:-]{1,255}"


class AddressConverter(StringConverter):
    """An account's address: merchants:m1:available, @world."""

    regex = "@?[A-Za-z0-9_.-]+(?::[A-Za-z0-9_.@-]+)*"


class DateConverter(StringConverter):
    """A business date: 2026-11-27. One that no calendar has answers 404 too."""

    regex = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


CONVERTERS: Final[dict[str, type[StringConverter]]] = {
    "reference": ReferenceConverter,
    "code": CodeConverter,
    "key": KeyConverter,
    "address": AddressConverter,
    "date": DateConverter,
}


def register() -> None:
    """Make the converters known to URL patterns; called by each `urls.py` that uses them."""
    for name, converter in CONVERTERS.items():
        if name not in get_converters():
            register_converter(converter, name)
