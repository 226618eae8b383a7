"""What the venue gives: fixed prices, rounded down, so that a test knows them."""

from fractions import Fraction
from typing import Final

_PRICES: Final = {
    ("EUR", "USDT"): Fraction("1.0731"),
    ("USDT", "EUR"): Fraction("0.9256"),
    ("EUR", "ETH"): Fraction("0.00031"),
    ("ETH", "EUR"): Fraction(3200),
    ("USD", "USDT"): Fraction("0.9989"),
    ("USDT", "USD"): Fraction("0.9981"),
}


def given(*, taken_asset: str, taken_amount: str, given_asset: str, decimals: int) -> str | None:
    """Return the amount given for an amount taken, as a decimal text; None when the pair is not traded here."""
    price = _PRICES.get((taken_asset, given_asset))
    if price is None:
        return None
    minor = int(Fraction(taken_amount) * price * 10**decimals)
    digits = str(minor).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
