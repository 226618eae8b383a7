"""The sandbox's pools, fees, rates and thresholds: what a fresh test environment trades with. Idempotent."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction as db_transaction

from ledger import accounts, journal
from ledger.accounts import Opening
from ledger.drafts import Draft
from ledger.environments import Environment
from ledger.money import Money
from orders.models import ApprovalThreshold, Pool, Quote
from wallets import rates, rules
from wallets.rule_terms import FeeTerms


@dataclass(frozen=True, slots=True)
class _Lane:
    code: str
    cash: Money
    position: Money
    minimum_minor: int
    maximum_minor: int


_LANES = (
    _Lane("EUR-USDT", Money(1_000_000_000, "EUR"), Money(10_850_000_000_000, "USDT"), 100, 5_000_000),
    _Lane("USD-ETH", Money(1_000_000_000, "USD"), Money(2_500 * 10**18, "ETH"), 100, 5_000_000),
    _Lane("EUR-ETH", Money(500_000_000, "EUR"), Money(1_400 * 10**18, "ETH"), 100, 5_000_000),
)

_THRESHOLDS = (("EUR", 25_000), ("USD", 25_000))


def load(*, now: datetime) -> list[str]:
    """Create what is missing and return the pools' codes. EUR-ETH is the one that halts itself by magic value."""
    with db_transaction.atomic():
        _open_accounts()
        for lane in _LANES:
            Pool.objects.get_or_create(
                environment=Environment.TEST,
                code=lane.code,
                defaults={
                    "cash_asset": lane.cash.asset,
                    "position_asset": lane.position.asset,
                    "minimum_minor": Decimal(lane.minimum_minor),
                    "maximum_minor": Decimal(lane.maximum_minor),
                },
            )
        for asset, amount in _THRESHOLDS:
            ApprovalThreshold.objects.get_or_create(
                environment=Environment.TEST, asset=asset, defaults={"amount_minor": Decimal(amount)}
            )
        for flow in (Quote.Side.BUY, Quote.Side.SELL):
            rules.install(
                environment=Environment.TEST,
                code=f"platform_fee-{flow}-eur",
                terms=FeeTerms(
                    name="platform_fee",
                    flow=flow.value,
                    asset="EUR",
                    fixed_minor=20,
                    basis_points=50,
                    vat_basis_points=1900,
                ),
                now=now,
            )
        journal.post_all(environment=Environment.TEST, drafts=[draft for lane in _LANES for draft in _funding(lane)])
    rates.refresh()
    return [lane.code for lane in _LANES]


def _funding(lane: _Lane) -> list[Draft]:
    return [
        Draft(
            event_type="POOL_FUNDING",
            key=f"sandbox:funding:{lane.code}:{side.asset}",
            subject=f"pool:{lane.code}",
            amounts={"amount": side},
            accounts={"world": accounts.WORLD, "pool": accounts.pool(lane.code)},
        )
        for side in (lane.cash, lane.position)
    ]


def _open_accounts() -> None:
    assets_in_use = sorted({side.asset for lane in _LANES for side in (lane.cash, lane.position)})
    accounts.open_accounts(
        environment=Environment.TEST,
        openings=[
            *(Opening(accounts.WORLD, asset, accounts.OUTSIDE) for asset in assets_in_use),
            *(Opening(accounts.fx(asset), asset, accounts.FX) for asset in assets_in_use),
            *(
                Opening(accounts.pool(lane.code), side.asset, accounts.POOL)
                for lane in _LANES
                for side in (lane.cash, lane.position)
            ),
        ],
    )
