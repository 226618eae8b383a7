"""The outside venues of a world: one that can hold a trade's terms, and one that cannot."""

from datetime import datetime
from typing import Final

from django.db import transaction as db_transaction

from orders import venue_lanes, venue_provider
from orders.models import Venue
from orders.venue_lanes import Lane
from wallets.models import Gateway
from webhooks import providers

VENUE_URL: Final = "http://venue.invalid"
SECRET: Final = "whsec_YSB2ZW51ZSdzIHNlY3JldCBvZiBzb21lIGxlbmd0aA=="
LANES: Final = (
    Lane("north", True, "NORTH-EUR-USDT", "EUR", "USDT"),
    Lane("south", False, "SOUTH-EUR-USDT", "EUR", "USDT"),
)


def set_up(now: datetime) -> list[tuple[str, str, str]]:
    """Open their lanes; return each pool's code with its inbox and the secret that its news are signed with."""
    with db_transaction.atomic():
        for lane in LANES:
            venue_lanes.open_lane(
                lane, environment="test", adapter="http_venue", base_url=VENUE_URL, secret=SECRET, now=now
            )
    Gateway.objects.filter(channel__startswith="venue:").update(
        time_limit_ms=2_000,
        requery_backoff_ms=500,
        pending_backoff_ms=5_000,
        pending_horizon_ms=60_000,
        breaker_failures=6,
        breaker_open_ms=5_000,
    )
    with db_transaction.atomic():
        codes = {lane.pool: venue_provider.code_of(Venue.objects.get(code=lane.venue)) for lane in LANES}
        return [(pool, code, providers.newest_secret(code, now=now)) for pool, code in codes.items()]
