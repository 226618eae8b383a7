"""What the home page says is held back now: asks to a paused gateway, or to one that does not answer."""

from dataclasses import dataclass
from datetime import datetime

from ledger.controls.console import age
from wallets import pauses
from wallets.gateway_terms import WALLET
from wallets.models import Breaker, Gateway


@dataclass(frozen=True, slots=True)
class HeldBack:
    """One action that is disabled, and why."""

    action: str
    why: str


def held_back(now: datetime) -> list[HeldBack]:
    """Return every action that does not go out now, the pauses first."""
    found = [
        HeldBack(
            _asking(pause.gateway),
            f"Paused by {pause.paused_by.removeprefix('user:')} until {pause.expires_at:%Y-%m-%d %H:%M} UTC:"
            f" {pause.reason}. Lookups go on.",
        )
        for pause in pauses.current(now)
    ]
    open_ones = Breaker.objects.filter(open_until__isnull=False).select_related("gateway__operator").order_by("pk")
    return found + [
        HeldBack(
            _asking(breaker.gateway),
            f"It has not answered {breaker.failures} questions in a row, for {age(breaker.failing_since, now)}."
            " One question at a time tries whether it does again.",
        )
        for breaker in open_ones
    ]


def _asking(gateway: Gateway) -> str:
    """Name a gateway: by its operator, and by its channel where it is no operator's wallet."""
    named = "" if gateway.channel == WALLET else f", {gateway.channel}"
    return f"Asking {gateway.operator}{named} ({gateway.environment})"
