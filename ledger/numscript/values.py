"""Values and their types: what an expression can be, how it is written, and how variables are read from outside."""

import re
from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple, Protocol, assert_never

from ledger.numscript.errors import Position, VariableInvalid
from ledger.numscript.limits import MAXIMUM_ADDRESS, MAXIMUM_DIGITS, MAXIMUM_TEXT


class Kind(StrEnum):
    """The types of the language, by the names that scripts use."""

    ACCOUNT = "account"
    ASSET = "asset"
    MONETARY = "monetary"
    NUMBER = "number"
    PORTION = "portion"
    STRING = "string"


class Monetary(NamedTuple):
    """`amount` minor units of an asset. A tuple, because one is made for each amount of each execution."""

    asset: str
    amount: int


class MoneyLike(Protocol):
    """What ledger.money.Money has."""

    @property
    def asset(self) -> str: ...

    @property
    def minor(self) -> int: ...


Value = str | int | Fraction | Monetary
"""Accounts, assets and strings are str, numbers int, portions Fraction."""

Given = Value | MoneyLike
"""A variable's value from outside: a text as in JSON, or the value itself."""

Reader = Callable[[Given], Value]

WORLD = frozenset({"world", "@world"})
"""What every book calls the outside: the script's `@world`, and this name as it stands in the book."""

_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_PERCENTAGE = re.compile(r"([0-9]+)(?:\.([0-9]+))?%", re.ASCII)
_FRACTION = re.compile(r"([0-9]+)\s?/\s?([0-9]+)", re.ASCII)
_ASSET = re.compile(r"[A-Z][A-Z0-9]{0,16}(?:_[A-Z]{1,16})?(?:/[0-9]{1,6})?", re.ASCII)
_SEGMENTS = re.compile(r"[a-zA-Z0-9_-]+(?::[a-zA-Z0-9_-]+)*", re.ASCII)


def text(value: Value) -> str:
    """Write a value as metadata keep it: `EUR 100`, `1/3`, `users:1`."""
    if isinstance(value, Monetary):
        return f"{value.asset} {value.amount}"
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    return str(value)


def is_address_of_segments(address: str) -> bool:
    """Say whether an address is one that the language can write down."""
    return len(address) <= MAXIMUM_ADDRESS and _SEGMENTS.fullmatch(address) is not None


def reader(kind: Kind, *, name: str, at: Position) -> Reader:
    """Return the function that reads this variable's value. It raises VariableInvalid."""
    match kind:
        case Kind.ACCOUNT:
            return _account_reader(name, at)
        case Kind.MONETARY:
            return _monetary_reader(name, at)
        case Kind.NUMBER:
            return lambda given: _number(given, name, at)
        case Kind.PORTION:
            return lambda given: _portion(given, name, at)
        case Kind.ASSET:
            return lambda given: _asset(given, name, at)
        case Kind.STRING:
            return lambda given: _string(given, name, at)
        case _:
            assert_never(kind)


def is_address(given: str) -> bool:
    """Say whether a text may be given as an account. Addresses hold what partners call their users: nearly any text."""
    return 0 < len(given) <= MAXIMUM_ADDRESS and "\0" not in given


def _account_reader(name: str, at: Position) -> Reader:
    def read(given: Given) -> Value:
        if isinstance(given, str) and is_address(given):
            return given
        raise _invalid(given, name, "an account's address, for example “users:001”", at)

    return read


def _monetary_reader(name: str, at: Position) -> Reader:
    expected = "an amount of an asset, for example “EUR 100”"

    def read(given: Given) -> Value:
        if isinstance(given, str):
            asset, _, digits = given.partition(" ")
            if not _NUMBER.fullmatch(digits) or len(digits) > MAXIMUM_DIGITS:
                raise _invalid(given, name, expected, at)
            amount = int(digits)
        elif isinstance(given, Monetary):
            asset, amount = given
        else:
            try:  # asking a protocol by isinstance takes ten times as long as an execution
                asset, amount = given.asset, given.minor  # type: ignore[union-attr]  # what else it is has neither
            except AttributeError:
                raise _invalid(given, name, expected, at) from None
        if (
            amount.__class__ is not int
            or asset.__class__ is not str
            or not is_asset(asset)
            or amount.bit_length() > 256
        ):
            raise _invalid(given, name, expected, at)
        return Monetary(asset, amount)

    return read


@lru_cache(maxsize=4096)
def is_asset(code: str) -> bool:
    """Say whether a text is an asset's code."""
    return _ASSET.fullmatch(code) is not None


def _number(given: Given, name: str, at: Position) -> int:
    if isinstance(given, int) and not isinstance(given, bool) and given.bit_length() <= 256:
        return given
    if isinstance(given, str) and len(given) <= MAXIMUM_DIGITS and _NUMBER.fullmatch(given):
        return int(given)
    raise _invalid(given, name, "a whole number, for example “100”", at)


def _portion(given: Given, name: str, at: Position) -> Fraction:
    portion = given if isinstance(given, Fraction) else _portion_of_text(given)
    if portion is None or not 0 <= portion <= 1 or portion.denominator.bit_length() > 256:
        raise _invalid(given, name, "a portion of 0 to 1, for example “12.5%” or “1/8”", at)
    return portion


def _portion_of_text(given: Given) -> Fraction | None:
    if not isinstance(given, str) or len(given) > MAXIMUM_DIGITS:
        return None
    if percentage := _PERCENTAGE.fullmatch(given):
        decimals = percentage[2] or ""
        return Fraction(int(percentage[1] + decimals), 100 * 10 ** len(decimals))
    if (fraction := _FRACTION.fullmatch(given)) and int(fraction[2]) != 0:
        return Fraction(int(fraction[1]), int(fraction[2]))
    return None


def _asset(given: Given, name: str, at: Position) -> str:
    if isinstance(given, str) and is_asset(given):
        return given
    raise _invalid(given, name, "an asset's code, for example “EUR” or “USD/2”", at)


def _string(given: Given, name: str, at: Position) -> str:
    if isinstance(given, str) and len(given) <= MAXIMUM_TEXT:
        return given
    raise _invalid(given, name, f"a text of at most {MAXIMUM_TEXT} characters", at)


def _invalid(given: Given, name: str, expected: str, at: Position) -> VariableInvalid:
    shown = repr(given) if not isinstance(given, int) or given.bit_length() <= 256 else "a number too large"
    return VariableInvalid(f"${name} has to be {expected}; {shown[:80]} is not.", at)
