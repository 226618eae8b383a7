"""The small model of a world that says which breaks its close finds, each under its own type.

It knows nothing of the checks: it is what the world itself has seen of the outside, and what people have left undecided.

- *missing webhook*: the operator was never told of a trade's or payment's end, since its receiver is gone; or a counterparty
  told of something that never was
- *late effect*: money moved for what had ended without it, and people have not said yet what it is
- *ledger row without terminal trade*: people have not decided an order or a payout whose money stands in the books
- whatever else is wrong at a drained world's end is wrong with the product: nothing else is predicted
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from orders.models import Intent, Order, Payout, Return, Trade
from tests.simulation.wallet_service import Movement

if TYPE_CHECKING:
    from tests.simulation.world import World

_ENDED_WITHOUT: Final = {
    "debit": ("failed",),
    "credit": ("failed",),
    "reverse": ("processed", "failed"),
    "submit": ("failed",),
    "execute": ("failed", "released"),
}
"""By what moved: the ends of its order, payout or trade in which it should not have."""


def predicted(world: "World") -> list[tuple[str, str]]:
    """Return the breaks that the world's story makes, as (type, subject)."""
    return sorted({*_untold(world), *_late(world), *_undecided()})


def _untold(world: "World") -> Iterator[tuple[str, str]]:
    services = (world.scene.wallet, world.scene.bank)
    told_of = {
        key
        for service in services
        for key, operation in service.operations.items()
        if operation.status in ("confirmed", "rejected")
    }
    for (subject,) in world.stage.looking.execute(_NEVER_DELIVERED).fetchall():
        yield "missing_webhook", subject
    for reference, subjects in world.stage.looking.execute(_NEVER_JUDGED).fetchall():
        if not told_of.intersection(subjects):
            yield "missing_webhook", reference


_NEVER_DELIVERED: Final = """
SELECT DISTINCT e.aggregate FROM webhooks_delivery d JOIN ledger_event e ON e.id = d.event_id
WHERE d.state = 'dead' AND e.topic IN ('trade.settled', 'trade.failed', 'trade.released', 'trade.returned',
                                       'intent.SETTLED', 'intent.FAILED', 'intent.CANCELLED')
  AND NOT EXISTS (SELECT FROM ledger_event l WHERE l.aggregate = e.aggregate AND l.sequence > e.sequence)
"""
_NEVER_JUDGED: Final = """
SELECT reference, subjects FROM webhooks_inboundevent WHERE state IN ('received', 'parked', 'dead')
"""


def _late(world: "World") -> Iterator[tuple[str, str]]:
    states = _states()
    decided = dict(Return.objects.exclude(operation_key="").values_list("operation_key", "state"))
    named = dict(Return.objects.exclude(operation_key="").values_list("operation_key", "reference"))
    for movement in world.scene.movements:
        if _happened_after(movement, states) and decided.get(movement.key, "open") == "open":
            yield "late_effect", named.get(movement.key, movement.key)


def _happened_after(movement: Movement, states: dict[str, str]) -> bool:
    return states.get(movement.owner) in _ENDED_WITHOUT.get(movement.leg, ())


def _states() -> dict[str, str]:
    """Return where each order, trade and payout's intent has ended, by what its movements are asked under."""
    intents = dict(Intent.objects.values_list("reference", "state"))
    return {
        **dict(Order.objects.values_list("reference", "state")),
        **dict(Trade.objects.values_list("reference", "state")),
        **{ours: intents[intent] for ours, intent in Payout.objects.values_list("reference", "intent_reference")},
    }


def _undecided() -> Iterator[tuple[str, str]]:
    reserved = dict(Trade.objects.filter(state="reserved").values_list("order_reference", "reference"))
    for model in (Order, Intent):
        for reference in model.objects.filter(state="manual_review").values_list("reference", flat=True):
            yield "ledger_row_without_terminal_trade", reserved.get(reference, reference)
