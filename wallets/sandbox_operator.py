"""The sandbox's operator: an operator, its test gateway, the house with its payout channels, and a test key. Idempotent."""

import base64
from datetime import datetime

from django.conf import settings
from django.db import transaction as db_transaction

from ledger.controls import randomness
from ledger.environments import Environment
from wallets import inbox_provider, operators, payout_channels, sandbox_rules
from wallets.gateway_terms import WALLET
from wallets.models import Gateway, Operator, OperatorKey

SLUG = "sandbox"
HOUSE = "house"
_ASSET = "EUR"
CHANNELS = {"promptpay": "THB", "bank_transfer": "EUR"}
"""What each of the house's channels pays out in the sandbox."""
_QUICK = {
    "time_limit_ms": 2_000,
    "requery_backoff_ms": 500,
    "not_found_horizon_ms": 30_000,
    "pending_backoff_ms": 2_000,
    "pending_horizon_ms": 3_600_000,
}
"""Nobody who tries things out waits for long."""


def load(*, now: datetime) -> dict[str, str]:
    """Create what is missing, point the gateway at the sandbox's present address, and return fresh secrets.

    The API keys are in the answer only when they were made by this call.
    """
    with db_transaction.atomic():
        operator = _operator(SLUG, "Sandbox Ltd", Operator.Kind.OPERATOR, now)
        house = _operator(HOUSE, "The house", Operator.Kind.HOUSE, now)
        operators.open_operator_accounts(operator=operator, environment=Environment.TEST, wallet_asset=_ASSET)
        gateway, made = Gateway.objects.get_or_create(
            operator=operator,
            environment=Environment.TEST,
            channel=WALLET,
            defaults={
                "base_url": _wallet_url(),
                "secret": _secret(),
                "wallet_asset": _ASSET,
                **_QUICK,
            },
        )
        if not made and gateway.base_url != _wallet_url():
            gateway.base_url = _wallet_url()
            gateway.save(update_fields=["base_url"])
        inbox_provider.ensure(gateway, now=now)
        for channel, asset in CHANNELS.items():
            _connect_channel(house, channel, asset, now)
        sandbox_rules.load(now=now)
        found = {"operator": operator.reference}
        found |= _key(operator, "api_key", [str(scope) for scope in operators.OPERATOR_SCOPES], now)
        found |= _key(house, "house_key", [str(scope) for scope in operators.HOUSE_ONLY], now)
    return found


def _connect_channel(house: Operator, channel: str, asset: str, now: datetime) -> None:
    """Connect a channel of the house to the sandbox's bank: it serves every operator. One that is there keeps its secret."""
    there = Gateway.objects.filter(operator=house, environment=Environment.TEST, channel=channel).first()
    payout_channels.connect(
        operator=house,
        environment=Environment.TEST,
        channel=channel,
        base_url=f"{_wallet_url()}/bank",
        secret=there.secret if there else _secret(),
        asset=asset,
        now=now,
        terms=_QUICK,
    )


def _wallet_url() -> str:
    return str(settings.SANDBOX_URL).rstrip("/")


def _secret() -> str:
    return "whsec_" + base64.b64encode(randomness.octets(24)).decode()


def _operator(slug: str, name: str, kind: str, now: datetime) -> Operator:
    found = Operator.objects.filter(slug=slug).first()
    return found or operators.create_operator(name=name, slug=slug, kind=kind, now=now)


def _key(operator: Operator, name: str, scopes: list[str], now: datetime) -> dict[str, str]:
    if OperatorKey.objects.filter(operator=operator, environment=Environment.TEST, revoked_at__isnull=True).exists():
        return {}
    issued = operators.issue_key(
        operator=operator,
        environment=Environment.TEST,
        label="made by make run",
        scopes=scopes,
        created_by="local stack",
        now=now,
    )
    return {name: issued.secret}
