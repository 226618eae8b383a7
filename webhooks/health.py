"""The health of endpoints: what their last deliveries say, and what waits for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from webhooks.models import Endpoint

LOOKED_AT: Final = 200
"""Newest deliveries of an endpoint whose attempts count."""

_QUESTION = """
SELECT p.id, tried.attempts, tried.succeeded, tried.last_success_at, tried.median_ms, tried.slow_ms,
       waiting.number, waiting.oldest, given_up.number
FROM webhooks_endpoint AS p
CROSS JOIN LATERAL (
    SELECT count(*) AS attempts, count(*) FILTER (WHERE a.failure = '') AS succeeded,
           max(a.started_at) FILTER (WHERE a.failure = '') AS last_success_at,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY a.duration_ms) AS median_ms,
           percentile_disc(0.95) WITHIN GROUP (ORDER BY a.duration_ms) AS slow_ms
    FROM (SELECT id FROM webhooks_delivery WHERE endpoint_id = p.id ORDER BY id DESC LIMIT %s) AS newest
    JOIN webhooks_deliveryattempt AS a ON a.delivery_id = newest.id
) AS tried
CROSS JOIN LATERAL (
    SELECT count(*) AS number, min(created_at) AS oldest FROM webhooks_delivery
    WHERE endpoint_id = p.id AND state = 'pending'
) AS waiting
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM (SELECT state FROM webhooks_delivery WHERE endpoint_id = p.id
                                    ORDER BY id DESC LIMIT %s) AS newest WHERE state = 'dead'
) AS given_up
WHERE p.id = ANY (%s)
"""


@dataclass(frozen=True, slots=True)
class Health:
    """`attempts`, durations and `given_up` are of the newest 200 deliveries; durations in milliseconds."""

    attempts: int
    succeeded: int
    last_success_at: datetime | None
    median_ms: int | None
    slow_ms: int | None
    waiting: int
    oldest_waiting: datetime | None
    given_up: int

    @property
    def success_percent(self) -> int | None:
        return self.succeeded * 100 // self.attempts if self.attempts else None


def of(rows: Sequence[Endpoint]) -> dict[int, Health]:
    """Return the health of these endpoints, by endpoint, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_QUESTION, [LOOKED_AT, LOOKED_AT, [row.pk for row in rows]])
        return {row[0]: Health(*row[1:]) for row in cursor.fetchall()}
