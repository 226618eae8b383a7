"""Operators and their API keys: made, found, revoked. The key itself exists only in the answer of `issue_key`."""

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger import accounts
from ledger.controls import clock, prepared, randomness, references
from ledger.controls.refusals import Refusal
from ledger.controls.rest.caller import Caller
from ledger.controls.rest.scopes import HOUSE_ONLY as HOUSE_ONLY
from ledger.controls.rest.scopes import Scope as Scope
from ledger.environments import Environment
from wallets.models import Operator, OperatorKey

OPERATOR_SCOPES = (Scope.QUOTES, Scope.ORDERS, Scope.READ, Scope.WEBHOOKS, Scope.WALLETS, Scope.PAYMENTS)

_LAST_USED_PRECISION = timedelta(minutes=1)

_CALLER = """
SELECT k.id, k.environment, k.scopes, k.created_by, o.id, o.reference, o.slug, o.kind, t.now, k.last_used_at
FROM (SELECT coalesce(%s::timestamptz, clock_timestamp()) AS now) AS t
CROSS JOIN wallets_operatorkey AS k
JOIN wallets_operator AS o ON o.id = k.operator_id
WHERE k.key_hash = %s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > t.now)
"""


class ScopeNotAllowed(Refusal):
    """An operator's key cannot have a scope of the house."""

    code = "scope_not_allowed"


class UnknownScope(Refusal):
    """There is no such scope."""

    code = "unknown_scope"


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """`secret` is the API key: show it once, never store it."""

    key: OperatorKey
    secret: str


def create_operator(*, name: str, slug: str, kind: str, now: datetime) -> Operator:
    """Create an operator. Its accounts are opened when its gateway is."""
    return Operator.objects.create(
        reference=references.new(references.Prefix.OPERATOR), name=name, slug=slug, kind=kind, created_at=now
    )


def house() -> Operator | None:
    """Return the house: the operator that is nobody's but ours; None where it is not made yet."""
    return Operator.objects.filter(kind=Operator.Kind.HOUSE).order_by("pk").first()


def open_operator_accounts(*, operator: Operator, environment: str, wallet_asset: str) -> None:
    """Open what an operator's orders post to: what it owes us, and its transit."""
    accounts.open_accounts(
        environment=environment,
        openings=[
            accounts.Opening(accounts.operator_due(operator.slug), wallet_asset, accounts.OPERATOR_DUE),
            accounts.Opening(accounts.order_transit(operator.slug), wallet_asset, accounts.TRANSIT),
            accounts.Opening(accounts.ORDER_REVENUE, wallet_asset, accounts.REVENUE),
            accounts.Opening(accounts.VAT_PAYABLE, wallet_asset, accounts.VAT),
            accounts.Opening(accounts.fx(wallet_asset), wallet_asset, accounts.FX),
        ],
    )


def issue_key(
    *,
    operator: Operator,
    environment: str,
    label: str,
    scopes: list[str],
    created_by: str,
    now: datetime,
    expires_at: datetime | None = None,
) -> IssuedKey:
    """Make an API key. Raises UnknownScope or ScopeNotAllowed."""
    for scope in scopes:
        if scope not in list(Scope):
            raise UnknownScope(f"There is no scope {scope!r}.")
        if scope in HOUSE_ONLY and operator.kind != Operator.Kind.HOUSE:
            raise ScopeNotAllowed(f"The scope {scope!r} is the house's alone.")
    secret = base64.b32encode(randomness.octets(35)).decode().lower()
    shown = f"hf_{Environment(environment).value}_{secret}"
    key = OperatorKey.objects.create(
        operator=operator,
        environment=environment,
        label=label,
        hint=shown[:12],
        key_hash=_hash(shown),
        scopes=sorted(scopes),
        created_by=created_by,
        created_at=now,
        expires_at=expires_at,
    )
    return IssuedKey(key=key, secret=shown)


def caller_with_key(*, secret: str) -> Caller | None:
    """Return whom an API key belongs to; None when there is no such key, or it is revoked or expired.

    One statement, which tells the time too: every request passes here.
    """
    found = prepared.first_rows(_CALLER, [clock.parameter(), _hash(secret)])
    if not found:
        return None
    ((key_id, environment, scopes, issued_by, operator_id, reference, slug, kind, now, last_used_at),) = found
    if last_used_at is None or now - last_used_at > _LAST_USED_PRECISION:
        OperatorKey.objects.filter(pk=key_id).update(last_used_at=now)
    return Caller(
        operator_id=operator_id,
        operator_reference=reference,
        operator_slug=slug,
        is_house=kind == Operator.Kind.HOUSE,
        environment=environment,
        key_id=key_id,
        scopes=frozenset(json.loads(scopes)),
        issued_by=issued_by,
    )


def revoke_key(*, key: OperatorKey, now: datetime) -> None:
    """Make a key useless from now on. Revoked keys stay as rows."""
    OperatorKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
