"""The sandbox's venues: two pools of the test environment whose trades the built-in venue executes. Idempotent."""

import base64
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import transaction as db_transaction

from ledger.controls import randomness
from ledger.environments import Environment
from orders import venue_lanes, venue_provider
from orders.models import Venue
from orders.venue_lanes import Lane
from webhooks import providers

LANES: Final = (
    Lane("north", True, "EUR-USDT-DESK", "EUR", "USDT"),
    Lane("south", False, "USD-USDT", "USD", "USDT"),
)
"""The first venue can reserve, the second cannot."""


def load(*, now: datetime) -> list[str]:
    """Create what is missing, point the gateways at the venue's present address, and return the pools' codes."""
    with db_transaction.atomic():
        return [
            venue_lanes.open_lane(
                lane,
                environment=Environment.TEST,
                adapter="http_venue",
                base_url=str(settings.SANDBOX_VENUE_URL).rstrip("/"),
                secret="whsec_" + base64.b64encode(randomness.octets(24)).decode(),
                now=now,
            ).code
            for lane in LANES
        ]


def inboxes(*, now: datetime) -> list[tuple[str, str, str]]:
    """Return each pool's code with the provider's code and the secret that its venue's events are signed with."""
    found = []
    with db_transaction.atomic():
        for lane in LANES:
            code = venue_provider.code_of(Venue.objects.get(environment=Environment.TEST, code=lane.venue))
            found.append((lane.pool, code, providers.newest_secret(code, now=now)))
    return found
