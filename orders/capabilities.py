"""What a key can do now: its actions with `enabled` and why not, assets with their scale, pools with their limits."""

from typing import Any

from ledger import assets
from ledger.controls import clock
from ledger.controls.rest.caller import Caller
from ledger.controls.rest.scopes import Scope
from orders import answers
from orders.models import Pool, PoolHalt
from wallets.gateway_terms import NoGateway, gateway_terms

_ACTIONS = (("quote", Scope.QUOTES), ("order", Scope.ORDERS))


def capabilities(caller: Caller) -> dict[str, Any]:
    """Return the answer of `GET /v1/capabilities`."""
    pools = list(Pool.objects.filter(environment=caller.environment).order_by("code"))
    halted = set(PoolHalt.objects.filter(pool__in=pools, lifted_at__isnull=True).values_list("pool_id", flat=True))
    wallet_asset, obstacle = _wallet(caller)
    if not obstacle and all(pool.pk in halted for pool in pools):
        obstacle = "No pool is open."
    return {
        "environment": caller.environment,
        "scopes": sorted(caller.scopes),
        "wallet_asset": wallet_asset,
        "actions": [_action(name, scope, caller, obstacle) for name, scope in _ACTIONS],
        "assets": [
            {"code": code, "scale": assets.named(code).scale}
            for code in sorted({asset for pool in pools for asset in (pool.cash_asset, pool.position_asset)})
        ],
        "pools": [answers.pool(pool, halted=pool.pk in halted) for pool in pools],
    }


def _wallet(caller: Caller) -> tuple[str | None, str]:
    try:
        terms = gateway_terms(operator_id=caller.operator_id, environment=caller.environment)
    except NoGateway as refusal:
        return None, refusal.message
    paused = terms.paused(clock.now())
    return terms.wallet_asset, "Your wallet connection is paused." if paused else ""


def _action(name: str, scope: Scope, caller: Caller, obstacle: str) -> dict[str, Any]:
    why_not = obstacle if scope in caller.scopes else f"This key lacks the scope “{scope}”."
    return {"action": name, "enabled": not why_not, "why_not": why_not or None}
