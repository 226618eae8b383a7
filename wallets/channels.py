"""The house's gateways beside the operators' wallets: one for each channel, such as a venue.

The house is the tenant of what is asked there: an operator sees its order and trade, never what became of a venue's keys.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from wallets import operators
from wallets.models import Gateway, Operator

_LONGEST_WAIT: Final = timedelta(seconds=30)
"""Not for ever: a pause may be lifted early."""


@dataclass(frozen=True, slots=True)
class ChannelTerms:
    """What the floors above may know of a channel's gateway. `owner_id` is the operator row that it belongs to."""

    gateway_id: int
    owner_id: int
    environment: str
    paused_until: datetime | None
    open_until: datetime | None

    def held_back_for(self, now: datetime) -> timedelta | None:
        """Return how long nothing is asked yet, since it is paused or its circuit is open; None when it is neither."""
        ends = [until for until in (self.paused_until, self.open_until) if until is not None and now < until]
        return min(max(ends) - now, _LONGEST_WAIT) if ends else None


def terms_of(gateway_id: int) -> ChannelTerms:
    gateway = Gateway.objects.select_related("breaker").get(pk=gateway_id)
    breaker = getattr(gateway, "breaker", None)  # none before the first question
    return ChannelTerms(
        gateway_id=gateway.pk,
        owner_id=gateway.operator_id,
        environment=gateway.environment,
        paused_until=gateway.paused_until,
        open_until=breaker.open_until if breaker is not None else None,
    )


def assets(*, operator_id: int, environment: str, of: Collection[str]) -> set[str]:
    """Return the assets of those channels, the house's and the operator's own, in one environment."""
    serving = Q(operator_id=operator_id) | Q(operator__kind=Operator.Kind.HOUSE)
    found = Gateway.objects.filter(serving, environment=environment, channel__in=of)
    return set(found.values_list("wallet_asset", flat=True))


def connect(
    *, environment: str, channel: str, adapter: str, base_url: str, secret: str, asset: str, now: datetime
) -> int:
    """Give the house a gateway to a channel, or point the one that is there to its present address; return its id."""
    house = operators.house() or operators.create_operator(name="The house", slug="house", kind="house", now=now)
    gateway, made = Gateway.objects.get_or_create(
        operator=house,
        environment=environment,
        channel=channel,
        defaults={"adapter": adapter, "base_url": base_url, "secret": secret, "wallet_asset": asset},
    )
    if not made and gateway.base_url != base_url:
        gateway.base_url = base_url
        gateway.save(update_fields=["base_url"])
    return gateway.pk
