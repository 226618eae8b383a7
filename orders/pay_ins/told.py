"""What a provider's message says of a pay-in, read strictly: what cannot be read is money that people must look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ledger import assets, money
from ledger.money import Money
from webhooks.routing import InboundMessage

FIELDS: Final[Mapping[str, str]] = {
    "wallet": "data.wallet_id",
    "amount": "data.amount",
    "asset": "data.asset",
    "collection": "data.collection",
    "occurred_at": "data.occurred_at",
}
"""Where these stand in a message, unless the provider's mapping says otherwise (its `fields`)."""

MOST_LATE: Final = timedelta(days=366)
"""An instant further back than this before we were told is taken for a provider's mistake, such as 1970."""


class Unreadable(Exception):
    """The message does not say what a pay-in needs. Its words say what is missing, for people."""


@dataclass(frozen=True, slots=True)
class Told:
    """`collection` is the provider's reference of what a refund or chargeback gives back; "" for a collection.

    `occurred_said` is when it happened in the provider's words; `occurred_at` is what we make of them.
    """

    transaction: str
    wallet: str
    gross: Money
    collection: str
    occurred_at: datetime
    occurred_said: str


def read(message: InboundMessage) -> Told:
    """Return what the message tells. Raises Unreadable."""
    said = {name: message.text_at(name, default=place) for name, place in FIELDS.items()}
    if not message.transaction:
        raise Unreadable("it names no transaction of the provider's")
    return Told(
        transaction=message.transaction,
        wallet=said["wallet"],
        gross=_gross(said["amount"], said["asset"]),
        collection=said["collection"],
        occurred_at=_occurred(said["occurred_at"], message.received_at),
        occurred_said=said["occurred_at"].replace("\x00", "")[:64],
    )


def _gross(amount: str, asset: str) -> Money:
    try:
        gross = money.parse(amount, assets.named(asset))
    except (money.InvalidAmount, assets.UnknownAsset) as error:
        raise Unreadable(f"amount {amount[:60]!r} of {asset[:20]!r}: {error}") from None
    if gross.minor <= 0:
        raise Unreadable("its amount is nothing")
    return gross


def _occurred(text: str, received_at: datetime) -> datetime:
    """Return the provider's instant when it has a zone, has passed, and is not too long ago; else when we were told."""
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        return received_at
    believed = said.tzinfo is not None and received_at - MOST_LATE <= said <= received_at
    return said.astimezone(UTC) if believed else received_at  # the database knows no offset of 16 hours
