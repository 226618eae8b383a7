"""Open a pool whose trades an outside venue executes: venue, gateway, provider, clearing accounts. Idempotent."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ledger import accounts
from ledger.accounts import Opening
from orders import venue_provider
from orders.models import Pool, Venue
from wallets import channels


@dataclass(frozen=True, slots=True)
class Lane:
    """A pool at an outside venue. `reserves`: the venue can hold a trade's terms."""

    venue: str
    reserves: bool
    pool: str
    cash_asset: str
    position_asset: str
    minimum_minor: int = 100
    maximum_minor: int = 5_000_000


def open_lane(lane: Lane, *, environment: str, adapter: str, base_url: str, secret: str, now: datetime) -> Pool:
    """Create what is missing, in the caller's transaction, and point the gateway to the venue's present address."""
    gateway_id = channels.connect(
        environment=environment,
        channel=f"venue:{lane.venue}",
        adapter=adapter,
        base_url=base_url,
        secret=secret,
        asset=lane.cash_asset,
        now=now,
    )
    venue, _ = Venue.objects.get_or_create(
        environment=environment, code=lane.venue, defaults={"gateway_id": gateway_id, "reserves": lane.reserves}
    )
    venue_provider.ensure(venue, now=now)
    clearing = accounts.venue_clearing(lane.venue)
    assets = sorted({lane.cash_asset, lane.position_asset})
    accounts.open_accounts(
        environment=environment,
        openings=[
            *(Opening(clearing, asset, accounts.VENUE_CLEARING) for asset in assets),
            *(Opening(accounts.fx(asset), asset, accounts.FX) for asset in assets),
        ],
    )
    pool, _ = Pool.objects.get_or_create(
        environment=environment,
        code=lane.pool,
        defaults={
            "kind": Pool.Kind.OUTSIDE,
            "venue": venue,
            "cash_asset": lane.cash_asset,
            "position_asset": lane.position_asset,
            "minimum_minor": Decimal(lane.minimum_minor),
            "maximum_minor": Decimal(lane.maximum_minor),
        },
    )
    return pool
