"""Money: an exact integer of minor units with an asset, and the only ways to divide it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

MAXIMUM_MINOR = 2**128 - 1

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,38})(\.[0-9]{1,38})?", re.ASCII)


class InvalidAmount(ValueError):
    """The text is not an amount of this asset."""


class AssetMismatch(ValueError):
    """Two amounts of different assets were put together."""


class Rounding(StrEnum):
    DOWN = "down"
    UP = "up"
    HALF_UP = "half_up"


@dataclass(frozen=True, slots=True)
class Asset:
    """What is counted. `scale` is the number of decimals of its major unit (JPY 0, EUR 2, ETH 18)."""

    code: str
    scale: int


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """`minor` minor units of `asset` (an asset's code)."""

    minor: int
    asset: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise InvalidAmount(f"{self.minor!r} is not an integer of minor units")

    def __add__(self, other: Self) -> "Money":
        return Money(self.minor + self._same(other), self.asset)

    def __sub__(self, other: Self) -> "Money":
        return Money(self.minor - self._same(other), self.asset)

    def _same(self, other: "Money") -> int:
        if other.asset != self.asset:
            raise AssetMismatch(f"{self.asset} and {other.asset}")
        return other.minor


def parse(text: object, asset: Asset) -> Money:
    """Read a decimal string in major units, at most the asset's scale.

    Raises InvalidAmount for a number that is not a string, a sign, an exponent, blanks, underscores, foreign
    digits, leading zeros, too many decimals or more than 2**128 - 1 minor units.
    """
    if not isinstance(text, str):
        raise InvalidAmount("An amount is a decimal string, for example “100.00”.")
    if not _DECIMAL.fullmatch(text):
        raise InvalidAmount("An amount is plain digits with at most one point, for example “100.00”.")
    whole, _, decimals = text.partition(".")
    if len(decimals) > asset.scale:
        raise InvalidAmount(f"{asset.code} has at most {asset.scale} decimals.")
    minor = int(whole + decimals.ljust(asset.scale, "0"))
    if minor > MAXIMUM_MINOR:
        raise InvalidAmount("The amount is too large.")
    return Money(minor, asset.code)


def render(money: Money, asset: Asset) -> str:
    """Write an amount in major units with exactly the asset's scale. A negative balance has a minus."""
    if money.asset != asset.code:
        raise AssetMismatch(f"{money.asset} and {asset.code}")
    return decimal_text(money.minor, asset.scale)


def decimal_text(minor: int, scale: int) -> str:
    sign = "-" if minor < 0 else ""
    digits = str(abs(minor)).rjust(scale + 1, "0")
    return sign + (digits if scale == 0 else f"{digits[:-scale]}.{digits[-scale:]}")


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Divide two integers that are not negative, exactly rounded as named."""
    if numerator < 0 or denominator <= 0:
        raise ValueError("divide takes a numerator of 0 or more and a positive denominator")
    match rounding:
        case Rounding.DOWN:
            return numerator // denominator
        case Rounding.UP:
            return -(-numerator // denominator)
        case Rounding.HALF_UP:
            return (2 * numerator + denominator) // (2 * denominator)


def allocate(total: Money, weights: Sequence[int]) -> list[Money]:
    """Share `total` by weights so that the parts sum to it exactly (largest remainder, first one wins a tie)."""
    if total.minor < 0 or not weights or min(weights) < 0 or sum(weights) == 0:
        raise ValueError("allocate takes an amount of 0 or more and weights that are not all 0")
    whole = sum(weights)
    parts = [total.minor * weight // whole for weight in weights]
    remainders = [total.minor * weight % whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-remainders[i], i))
    for i in order[: total.minor - sum(parts)]:
        parts[i] += 1
    return [Money(part, total.asset) for part in parts]
