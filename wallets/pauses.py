"""Pause a gateway: no new asks until it expires or is lifted; lookups go on, and what was asked is finished."""

from datetime import datetime, timedelta
from typing import Final

from ledger.controls.refusals import Malformed, NotFound, Refusal
from wallets.gateway_terms import WALLET
from wallets.models import Gateway, GatewayPause

LONGEST: Final = timedelta(days=30)


class AlreadyPaused(Refusal):
    """Asks to this gateway are paused already."""

    code = "already_paused"
    status = 409


class NotPaused(Refusal):
    """Asks to this gateway are not paused."""

    code = "not_paused"
    status = 409


def pause_gateway(
    *,
    operator_slug: str,
    environment: str,
    reason: str,
    lasts: timedelta,
    actor: str,
    now: datetime,
    channel: str = WALLET,
) -> GatewayPause:
    """Pause in the caller's transaction. Raises NotFound, Malformed or AlreadyPaused."""
    if not reason:
        raise Malformed("A reason is needed.")
    if not timedelta(0) < lasts <= LONGEST:
        raise Malformed(f"A pause lasts up to {LONGEST.days} days.")
    gateway = _locked(operator_slug, environment, channel)
    if _is_paused(gateway, now):
        raise AlreadyPaused
    gateway.paused_until, gateway.paused_reason = now + lasts, reason
    gateway.save(update_fields=["paused_until", "paused_reason"])
    return GatewayPause.objects.create(
        gateway=gateway, reason=reason, paused_by=actor, paused_at=now, expires_at=gateway.paused_until
    )


def lift_pause(*, operator_slug: str, environment: str, actor: str, now: datetime, channel: str = WALLET) -> None:
    """Let it be asked again; what waits comes within seconds. Raises NotFound or NotPaused."""
    gateway = _locked(operator_slug, environment, channel)
    if not _is_paused(gateway, now):
        raise NotPaused
    gateway.paused_until, gateway.paused_reason = None, ""
    gateway.save(update_fields=["paused_until", "paused_reason"])
    GatewayPause.objects.filter(gateway=gateway, lifted_at__isnull=True).update(lifted_by=actor, lifted_at=now)


def current(now: datetime) -> list[GatewayPause]:
    """Return the pauses in force, the oldest first."""
    rows = GatewayPause.objects.filter(lifted_at__isnull=True, expires_at__gt=now, gateway__paused_until__gt=now)
    return list(rows.select_related("gateway__operator").order_by("paused_at"))


def _locked(operator_slug: str, environment: str, channel: str) -> Gateway:
    gateway = (
        Gateway.objects.select_for_update(of=("self",))
        .select_related("operator")
        .filter(operator__slug=operator_slug, environment=environment, channel=channel)
        .first()
    )
    if gateway is None:
        raise NotFound("There is no such gateway.")
    return gateway


def _is_paused(gateway: Gateway, now: datetime) -> bool:
    return gateway.paused_until is not None and now < gateway.paused_until
