"""A source of rates for the sandbox: settings.FX_FIXED_RATES, as they stand."""

from decimal import Decimal

from django.conf import settings


class FixedRates:
    name = "fixed"

    def pairs(self) -> list[tuple[str, str]]:
        return list(settings.FX_FIXED_RATES)

    def fetch(self, base: str, quote: str) -> Decimal:
        rate: Decimal = settings.FX_FIXED_RATES[base, quote]
        return rate
