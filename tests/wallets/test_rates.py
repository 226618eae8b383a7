"""Rates from their source: a pair that cannot be had, or believed, keeps no other from being fetched."""

from decimal import Decimal

import pytest
from django.conf import LazySettings

from ledger.controls import clock, drains
from wallets import rates
from wallets.rates import NoRate

pytestmark = pytest.mark.usefixtures("database")


class HalfBroken:
    """A source that fails for one pair, says nonsense of three, and knows the last."""

    name = "half broken"
    said = {"USD": "NaN", "JPY": "0", "GBP": "-1", "USDT": "1.08"}

    def pairs(self) -> list[tuple[str, str]]:
        return [("EUR", "CHF"), *(("EUR", quote) for quote in self.said)]

    def fetch(self, base: str, quote: str) -> Decimal:
        return Decimal(self.said[quote])


def test_one_pair_s_failure_costs_no_other_its_rate(settings: LazySettings) -> None:
    settings.RATE_SOURCE = f"{__name__}.HalfBroken"
    assert drains.drain("rates") == 1
    now = clock.now()
    assert rates.current(base="EUR", quote="USDT", now=now).value == Decimal("1.08")
    for quote in ("CHF", "USD", "JPY", "GBP"):
        with pytest.raises(NoRate):
            rates.current(base="EUR", quote=quote, now=now)
