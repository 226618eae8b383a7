"""FX rates: what a source said and when. A stale one is refused, never used."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Protocol, cast

import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from ledger import assets
from ledger.controls import clock, drains
from ledger.controls.refusals import Refusal
from ledger.money import Money
from wallets.models import FxRate

log = structlog.get_logger(__name__)


class StaleRate(Refusal):
    """The exchange rate is too old to quote with; try again shortly."""

    code = "rate_stale"
    status = 422


class NoRate(Refusal):
    """There is no exchange rate between these assets."""

    code = "rate_missing"
    status = 422


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of `base` buys `value` units of `quote`, said `source` at `observed_at`."""

    base: str
    quote: str
    value: Decimal
    source: str
    observed_at: datetime

    def convert(self, amount: Money) -> Money:
        """Return the amount in the quote asset, rounded down: a pool never loses to rounding."""
        base, quote = assets.named(self.base), assets.named(self.quote)
        rate = Fraction(self.value)  # exact, whatever the decimal context's precision
        converted = amount.minor * rate.numerator * 10**quote.scale // (rate.denominator * 10**base.scale)
        return Money(converted, quote.code)


class RateSource(Protocol):
    """Where rates come from; named in settings.RATE_SOURCE."""

    name: str

    def pairs(self) -> list[tuple[str, str]]: ...

    def fetch(self, base: str, quote: str) -> Decimal: ...


def current(*, base: str, quote: str, now: datetime) -> Rate:
    """Return the latest rate. Raises NoRate, or StaleRate when it is older than settings.FX_MAX_AGE seconds."""
    row = FxRate.objects.filter(base_asset=base, quote_asset=quote).order_by("-observed_at").first()
    if row is None:
        raise NoRate(f"There is no rate from {base} to {quote}.")
    if now - row.observed_at > timedelta(seconds=settings.FX_MAX_AGE):
        raise StaleRate
    return Rate(base, quote, row.rate, row.source, row.observed_at)


def record(*, base: str, quote: str, value: Decimal, source: str, now: datetime) -> None:
    FxRate.objects.create(base_asset=base, quote_asset=quote, rate=value, source=source, observed_at=now)


def refresh() -> int:
    """Fetch the pairs that have grown old from the configured source. Returns how many were fetched.

    One that cannot be had grows stale by itself, and keeps no other from being fetched.
    """
    source = _source()
    if source is None:
        return 0
    now = clock.now()
    fetched = 0
    for base, quote in source.pairs():
        if not _old(base, quote, now):
            continue
        try:
            value = source.fetch(base, quote)
        except Exception:
            log.exception("rate_not_fetched", source=source.name, base=base, quote=quote)
            continue
        if not value.is_finite() or value <= 0:
            log.error("rate_not_believed", source=source.name, base=base, quote=quote, said=str(value))
            continue
        record(base=base, quote=quote, value=value, source=source.name, now=now)
        fetched += 1
    return fetched


def register() -> None:
    drains.register(drains.Drain(kind="rates", work=refresh, depth=_due))


def _due() -> int:
    source = _source()
    if source is None:
        return 0
    now = clock.now()
    return sum(1 for base, quote in source.pairs() if _old(base, quote, now))


def _old(base: str, quote: str, now: datetime) -> bool:
    """Tell whether a pair's latest rate has used up a third of its life."""
    after = now - timedelta(seconds=settings.FX_MAX_AGE / 3)
    return not FxRate.objects.filter(base_asset=base, quote_asset=quote, observed_at__gt=after).exists()


def _source() -> RateSource | None:
    return cast(RateSource, import_string(settings.RATE_SOURCE)()) if settings.RATE_SOURCE else None
