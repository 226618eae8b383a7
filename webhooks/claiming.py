"""Claim due deliveries: one conditional statement gives each a lease, in sequence within a lane."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from django.db import connection

from ledger.controls import clock, randomness

LEASE: Final = timedelta(seconds=60)
PER_ENDPOINT: Final = 16
"""Leased at a time for one endpoint, in all processes together; two for an endpoint that fails."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours to send until its lease ends. `claimed_at` is the database's; `measured_at` monotonic.

    `kept_secrets`, as they lie in the database, has the present one first, then those that still sign beside it.
    """

    id: int
    token: str
    environment: str
    attempt: int
    claimed_at: datetime
    measured_at: float
    url: str
    kept_secrets: tuple[str, ...]
    endpoint_disabled: bool
    event_reference: str
    topic: str
    payload: dict[str, Any]
    recorded_at: datetime
    request_id: str
    aggregate: str
    kind: str

    @property
    def seconds_since(self) -> float:
        return clock.monotonic() - self.measured_at


Lane = list[Claimed]


def claim(*, limit: int) -> tuple[list[Lane], bool]:
    """Claim at most `limit` deliveries. Returns them by lane, and whether anything was due at all."""
    token = randomness.octets(16).hex()
    before = clock.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM webhooks_claim_deliveries(%s, %s, %s, %s, %s::timestamptz)",
            [limit, PER_ENDPOINT, int(LEASE.total_seconds()), token, clock.parameter()],
        )
        rows = cursor.fetchall()
    leased = [row for row in rows if row[0]]
    lanes = groupby(leased, key=lambda row: (row[2], row[4]))
    return [[_claimed(row, token, before) for row in lane] for _, lane in lanes], bool(rows)


def _claimed(row: Sequence[Any], token: str, before: float) -> Claimed:
    payload = row[12]
    return Claimed(
        id=row[1],
        token=token,
        environment=row[3],
        attempt=row[5],
        claimed_at=row[6],
        measured_at=before,
        url=row[7],
        kept_secrets=(row[8], *row[17]),
        endpoint_disabled=row[9],
        event_reference=row[10],
        topic=row[11],
        payload=json.loads(payload) if isinstance(payload, str) else payload,
        recorded_at=row[13],
        request_id=row[14],
        aggregate=row[4],
        kind=row[16],
    )
