"""Amounts as people read them: columns of money, thousands apart."""

import pytest

from ledger import assets

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("minor", "code", "shown"),
    [
        (0, "ETH", "0"),
        (1, "ETH", "0.000000000000000001"),
        (-1, "EUR", "-0.01"),
        (99_999, "EUR", "999.99"),
        (100_000, "EUR", "1,000.00"),
        (-1_500_535_448, "EUR", "-15,005,354.48"),
        (10_844_194_111_136, "USDT", "10,844,194.111136"),
    ],
)
def test_an_amount_is_shown(minor: int, code: str, shown: str) -> None:
    assert assets.for_reading(minor, code) == shown
