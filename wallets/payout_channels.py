"""Channels that pay out, connected: the gateway row of a bank, and the inbox to which it sends its events.

The house's channel serves every operator; an operator's own goes before it. Connecting again changes where the bank answers
and the secret, and leaves what people have set since.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from ledger.assets import UnknownAsset, named
from ledger.controls.refusals import Malformed, Refusal
from ledger.environments import Environment
from wallets import inbox_provider
from wallets.models import Gateway, Operator
from webhooks import destinations, providers, signatures

REQUERY_CAP: Final = 10
"""walletflow: bounded requery exhausts at the cap (10)."""
ADAPTERS: Final[Mapping[str, str]] = {"promptpay": "http_promptpay", "bank_transfer": "http_bank_transfer"}
_PENDING_HORIZONS: Final[Mapping[str, timedelta]] = {
    "promptpay": timedelta(hours=1),
    "bank_transfer": timedelta(days=3),
}
_MOST_REQUERIES: Final = 100


class AssetStays(Refusal):
    """What a channel pays out never changes."""

    code = "asset_stays"
    status = 409


@dataclass(frozen=True, slots=True)
class Connected:
    """`made` tells a new row from one that was changed; `inbox` is there when the bank's inbox was made just now."""

    gateway: Gateway
    made: bool
    inbox: providers.Made | None

    @property
    def inbox_path(self) -> str:
        return f"/v1/inbox/{inbox_provider.code_of(self.gateway)}"


def connect(
    *,
    operator: Operator,
    environment: str,
    channel: str,
    base_url: str,
    secret: str,
    asset: str,
    now: datetime,
    requery_cap: int = REQUERY_CAP,
    terms: Mapping[str, int] | None = None,
) -> Connected:
    """Connect a channel in the caller's transaction, or point the one that is there to its present address and secret.

    `terms` are other columns of a new row. Raises Malformed with every field that is wrong, or AssetStays.
    """
    code = _checked(environment, channel, base_url, secret, asset, requery_cap)
    gateway, made = Gateway.objects.get_or_create(
        operator=operator,
        environment=environment,
        channel=channel,
        defaults={
            "adapter": ADAPTERS[channel],
            "base_url": base_url,
            "secret": secret,
            "wallet_asset": code,
            "requery_cap": requery_cap,
            "pending_horizon_ms": _PENDING_HORIZONS[channel] // timedelta(milliseconds=1),
            **(terms or {}),
        },
    )
    if gateway.wallet_asset != code:
        raise AssetStays(f"{channel} of {operator.slug} pays out {gateway.wallet_asset}; that never changes.")
    if not made and (gateway.base_url, gateway.secret) != (base_url, secret):
        gateway.base_url, gateway.secret = base_url, secret
        gateway.save(update_fields=["base_url", "secret"])
    return Connected(gateway, made, inbox_provider.ensure(gateway, now=now))


def _checked(environment: str, channel: str, base_url: str, secret: str, asset: str, requery_cap: int) -> str:
    """Return the asset's code. Raises Malformed."""
    errors: dict[str, list[str]] = {}
    code = ""
    if environment not in Environment.values:
        errors["environment"] = [f"Not one of: {', '.join(Environment.values)}."]
    if channel not in ADAPTERS:
        errors["channel"] = [f"Not one of: {', '.join(ADAPTERS)}."]
    try:
        destinations.permit(destinations.parse(base_url), environment=environment, allowed=settings.OUTBOUND_ALLOW)
    except destinations.OutboundRefused as refused:
        errors["url"] = [f"The bank's address: {refused}."]
    try:
        signatures.sign(secrets=[secret], message_id="check", timestamp=0, body=b"")
    except signatures.MalformedSecret as malformed:
        errors["secret"] = [str(malformed)]
    try:
        code = named(asset).code
    except UnknownAsset as unknown:
        errors["asset"] = [unknown.message]
    if not 1 <= requery_cap <= _MOST_REQUERIES:
        errors["requery_cap"] = [f"1 to {_MOST_REQUERIES} lookups."]
    if errors:
        told = " ".join(f"{field}: {' '.join(words)}" for field, words in errors.items())
        raise Malformed(f"The channel cannot be connected. {told}", errors=errors)
    return code
