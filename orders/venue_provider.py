"""Each outside venue is a provider of inbound events: `trade.*`, about a trade by our transact id or quote id."""

from datetime import datetime

from orders.models import Venue
from webhooks import providers


def code_of(venue: Venue) -> str:
    """Return the provider's code of a venue: its path is /v1/inbox/{code}."""
    return f"venue-{venue.code}-{venue.environment}"


def ensure(venue: Venue, *, now: datetime) -> providers.Made | None:
    """Create the venue's provider, with a secret of its own, in the caller's transaction; None if it is there."""
    if providers.exists(code_of(venue)):
        return None
    return providers.create(
        code=code_of(venue),
        environment=venue.environment,
        operator_id=None,
        terms=providers.Terms(
            scheme=providers.Scheme.STANDARD,
            kind="type",
            subjects=("data.transact_id", "data.quote_id"),
            kinds=("trade.*",),
            size_limit=16_384,
        ),
        now=now,
    )
