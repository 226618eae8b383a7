"""What a key can do now: its actions with `enabled` and why not, assets with their scale, pools with their limits."""

from datetime import datetime
from typing import Any

from ledger import assets
from ledger.controls import clock
from ledger.controls.refusals import Refusal
from ledger.controls.rest.caller import Caller
from ledger.controls.rest.scopes import MissingScope, Scope
from orders import answers
from orders.models import Pool, PoolHalt, Quote
from orders.payout_requests import CHANNELS
from orders.venue_adapters import venue_of
from orders.venue_port import SideNotOffered
from wallets import channels, rates
from wallets.gateway_terms import GatewayTerms, NoGateway, gateway_terms


class NoOpenPool(Refusal):
    """No pool is open."""

    code = "no_open_pool"


class WalletPaused(Refusal):
    """Your wallet connection is paused: an order would wait, and fail if it waits too long."""

    code = "wallet_paused"


class WalletUnreachable(Refusal):
    """Your wallet service does not answer at present: an order would wait, and fail if it waits too long."""

    code = "wallet_unreachable"


def capabilities(caller: Caller) -> dict[str, Any]:
    """Return the answer of `GET /v1/capabilities`."""
    now = clock.now()
    wallet = _wallet(caller)
    pools = list(Pool.objects.filter(environment=caller.environment).order_by("code"))
    halted = set(PoolHalt.objects.filter(pool__in=pools, lifted_at__isnull=True).values_list("pool_id", flat=True))
    markets = answers.markets(pools)
    obstacles = {
        (pool.pk, side): _obstacle(pool, side, wallet=wallet, now=now) for pool in pools for side in Quote.Side.values
    }
    return {
        "operator_id": caller.operator_reference,
        "environment": caller.environment,
        "scopes": sorted(caller.scopes),
        "wallet_asset": wallet.wallet_asset if isinstance(wallet, GatewayTerms) else None,
        "actions": _actions(caller, wallet=wallet, any_pool=None in obstacles.values(), now=now),
        "assets": _assets(pools, wallet, caller),
        "pools": [
            {
                **answers.pool(pool, halted=pool.pk in halted, market=markets.get(pool.market_code)),
                **_enabled(obstacles[pool.pk, Quote.Side.BUY]),
                "sides": [
                    {"side": side, **_enabled(obstacles[pool.pk, side])}
                    for side in Quote.Side.values
                    if not isinstance(obstacles[pool.pk, side], SideNotOffered)
                ],
            }
            for pool in pools
        ],
    }


def _wallet(caller: Caller) -> GatewayTerms | NoGateway:
    try:
        return gateway_terms(operator_id=caller.operator_id, environment=caller.environment)
    except NoGateway as refusal:
        return refusal


def _obstacle(pool: Pool, side: str, *, wallet: GatewayTerms | NoGateway, now: datetime) -> Refusal | None:
    """Return what would refuse a quote of this side in this pool, whatever its amount."""
    if refusal := venue_of(pool).refusal(pool=pool, side=side):
        return refusal
    if isinstance(wallet, NoGateway):
        return wallet
    if wallet.wallet_asset != pool.cash_asset:
        base, quote = wallet.wallet_asset, pool.cash_asset
        if side != Quote.Side.BUY:
            base, quote = quote, base
        try:
            rates.current(base=base, quote=quote, now=now)
        except (rates.NoRate, rates.StaleRate) as refusal:
            return refusal
    return None


def _actions(
    caller: Caller, *, wallet: GatewayTerms | NoGateway, any_pool: bool, now: datetime
) -> list[dict[str, Any]]:
    no_wallet = wallet if isinstance(wallet, NoGateway) else None
    no_pool = None if any_pool else NoOpenPool()
    waiting = _would_wait(wallet, now) if isinstance(wallet, GatewayTerms) else None
    table: list[tuple[str, Scope, Refusal | None]] = [
        ("quote", Scope.QUOTES, no_wallet or no_pool),
        ("order", Scope.ORDERS, no_wallet or no_pool or waiting),
        ("read", Scope.READ, None),
        ("manage_webhooks", Scope.WEBHOOKS, None),
        ("open_wallets", Scope.WALLETS, None),
        ("pay", Scope.PAYMENTS, None),
    ]
    return [
        {"action": name, **_enabled(obstacle if scope in caller.scopes else MissingScope(_lacks(scope)))}
        for name, scope, obstacle in table
    ]


def _would_wait(wallet: GatewayTerms, now: datetime) -> Refusal | None:
    if wallet.paused(now):
        return WalletPaused()
    return WalletUnreachable() if wallet.circuit_open else None


def _lacks(scope: Scope) -> str:
    return f"This key lacks the scope “{scope}”."


def _assets(pools: list[Pool], wallet: GatewayTerms | NoGateway, caller: Caller) -> list[dict[str, Any]]:
    """Return what the pools trade, the connected wallet holds and the payout channels pay out."""
    codes = {asset for pool in pools for asset in (pool.cash_asset, pool.position_asset)}
    codes |= channels.assets(operator_id=caller.operator_id, environment=caller.environment, of=CHANNELS)
    if isinstance(wallet, GatewayTerms):
        codes.add(wallet.wallet_asset)
    return [{"code": code, "scale": assets.named(code).scale} for code in sorted(codes)]


def _enabled(obstacle: Refusal | None) -> dict[str, Any]:
    return {
        "enabled": obstacle is None,
        "why_not": obstacle.message if obstacle else None,
        "code": obstacle.code if obstacle else None,
    }
