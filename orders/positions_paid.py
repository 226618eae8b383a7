"""What was paid for a position that is still held: the average cost of its settled trades, fees excluded."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orders.models import Pool, Trade


@dataclass(frozen=True, slots=True)
class Paid:
    """`cash_minor` of the pool's cash asset was paid for the `held_minor` shares that are left."""

    held_minor: int
    cash_minor: int


def paid_for(*, pool: Pool, position: str) -> Paid:
    """Return what was paid for one position (its address) in one outcome's pool."""
    return _walked(_settled(pool).filter(terms__accounts__position=position).values_list("terms", flat=True))


def paid_for_all(pool: Pool) -> int:
    """Return what was paid for all positions that are left in one outcome's pool."""
    positions: dict[str, list[dict[str, Any]]] = {}
    for terms in _settled(pool).values_list("terms", flat=True).iterator():
        positions.setdefault(terms["accounts"]["position"], []).append(terms)
    return sum(_walked(trades).cash_minor for trades in positions.values())


def _settled(pool: Pool) -> Any:
    return Trade.objects.filter(pool_id=pool.pk, state=Trade.State.SETTLED).order_by("ended_at", "id")


def _walked(trades: Iterable[dict[str, Any]]) -> Paid:
    held = cash = 0
    for terms in trades:
        amounts = {name: int(amount["minor"]) for name, amount in terms["amounts"].items()}
        if "position" in amounts:
            held += amounts["position"]
            cash += amounts.get("converted", amounts["net"])
        else:
            sold = min(amounts["sold"], held)  # what a returned buy had given may be sold already
            cash -= cash * sold // held if held else 0
            held -= sold
    return Paid(held, cash)
