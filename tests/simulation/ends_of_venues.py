"""The end of a world with outside venues: they and our book tell the same story of each trade."""

from typing import TYPE_CHECKING, Final

from orders.models import Order, Return, Trade
from wallets.models import RemoteOperation

if TYPE_CHECKING:
    from tests.simulation.world import World

_EXECUTED: Final = ("settled", "returned")


def compare(world: "World") -> None:
    states = world.scene.venue.states()
    undecided = set(Order.objects.filter(state=Order.State.MANUAL_REVIEW).values_list("reference", flat=True))
    late = set(Return.objects.filter(kind=Return.Kind.LATE_EFFECT).values_list("trade_reference", flat=True))
    kept = RemoteOperation.objects.filter(leg="release", state="rejected").values_list("owner", flat=True)
    for trade in Trade.objects.filter(terms__has_key="venue_quote").order_by("pk"):
        theirs = states.get(trade.reference, "nowhere")
        executed = trade.state in _EXECUTED
        if trade.order_reference in undecided or trade.reference in late:
            continue
        if executed != (theirs in _EXECUTED):
            world.found("book and venue", trade.reference, f"{trade.state}, and its venue says {theirs}")
        if theirs == "reserved" and not executed and trade.reference not in kept:
            world.found("book and venue", trade.reference, f"{trade.state}, and its venue holds it still")
