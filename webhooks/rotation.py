"""Rotation: a new secret at once, the old one beside it for a while, so that a receiver misses nothing.

During the overlap every message carries one signature per secret, the newest first. An overlap of nothing ends all old
secrets: for one that leaked. What is on its way at that moment may still carry an old signature, for a minute at most.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from ledger.controls import randomness
from ledger.controls.refusals import Malformed, Refusal
from webhooks import endpoints, signatures
from webhooks.models import Endpoint, RetiredSecret

log = structlog.get_logger(__name__)

OVERLAP: Final = timedelta(hours=24)
LONGEST_OVERLAP: Final = timedelta(days=7)
MOST_RETIRED: Final = 3


class TooManySecrets(Refusal):
    """Three old secrets still sign; wait until one has ended, or end them all with an overlap of 0."""

    code = "too_many_secrets"
    status = 409


def rotate(*, operator_id: int, environment: str, reference: str, overlap: timedelta, now: datetime) -> Endpoint:
    """Give the endpoint a new secret; the present one signs beside it until the overlap is over.

    Raises NotFound, Malformed or TooManySecrets.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Malformed(errors={"overlap_seconds": ["Between 0 and 604800 (seven days)."]})
    endpoint = endpoints.locked(operator_id=operator_id, environment=environment, reference=reference)
    old = RetiredSecret.objects.filter(endpoint_id=endpoint.pk)
    (old.filter(ends_at__lte=now) if overlap else old).delete()
    if overlap:
        if old.count() >= MOST_RETIRED:
            raise TooManySecrets
        RetiredSecret.objects.create(
            endpoint_id=endpoint.pk, secret=endpoint.secret, retired_at=now, ends_at=now + overlap
        )
    endpoint.secret = signatures.make_secret(randomness.octets(32))
    endpoint.save(update_fields=["secret"])
    log.info("endpoint.rotated", endpoint=reference, overlap_seconds=int(overlap.total_seconds()))
    return endpoint


def ends_of(rows: Sequence[Endpoint], *, now: datetime) -> Mapping[int, list[datetime]]:
    """Return when the old secrets of these endpoints end, by endpoint, the last first, in one query."""
    found: dict[int, list[datetime]] = {row.pk: [] for row in rows}
    still = RetiredSecret.objects.filter(endpoint_id__in=found, ends_at__gt=now).order_by("-ends_at")
    for endpoint_id, ends_at in still.values_list("endpoint_id", "ends_at"):
        found[endpoint_id].append(ends_at)
    return found
