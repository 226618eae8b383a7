"""What the home page says is held back now: asks to a paused wallet, or to one that does not answer."""

from dataclasses import dataclass

from ledger.controls import clock
from ledger.controls.console import age
from wallets import pauses
from wallets.models import Breaker


@dataclass(frozen=True, slots=True)
class HeldBack:
    """One action that is disabled, and why."""

    action: str
    why: str


def held_back() -> list[HeldBack]:
    """Return every action that does not go out now, the pauses first."""
    found = [
        HeldBack(
            f"Asking {pause.gateway.operator} ({pause.gateway.environment})",
            f"Paused by {pause.paused_by.removeprefix('user:')} until {pause.expires_at:%Y-%m-%d %H:%M} UTC:"
            f" {pause.reason}. Lookups go on.",
        )
        for pause in pauses.current(clock.now())
    ]
    open_ones = Breaker.objects.filter(open_until__isnull=False).select_related("gateway__operator").order_by("pk")
    return found + [
        HeldBack(
            f"Asking {breaker.gateway.operator} ({breaker.gateway.environment})",
            f"It has not answered {breaker.failures} questions in a row, for {age(breaker.failing_since)}."
            " One question at a time tries whether it does again.",
        )
        for breaker in open_ones
    ]
